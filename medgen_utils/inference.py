"""Running a model over all images of a data set, in batches: used by training and evaluation alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


@torch.no_grad()
def in_batches(model: object, function: Callable[[Tensor], Tensor], x: Tensor, batch_size: int = 512) -> Tensor:
    """``function`` (predict or features of ``model``) of images x (N, C, H, W), (N, ...) on the CPU.

    The batches go to the model's device. A module that is training is put in evaluation mode and back, also after an
    error; a model that is no module is taken as it is.
    """
    is_module = isinstance(model, nn.Module)
    device = next(model.parameters(), x).device if is_module else x.device
    was_training = is_module and model.training
    if was_training:
        model.eval()
    try:
        parts = (part.to(device).contiguous(memory_format=torch.channels_last) for part in x.split(batch_size))
        return torch.cat([function(part).cpu() for part in parts])
    finally:
        if was_training:
            model.train()
