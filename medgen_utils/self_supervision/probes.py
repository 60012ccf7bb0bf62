"""What pre-trained features are worth: fine-tuning. Chapter: self_supervision.

The linear probe is `probes.linear_probe`.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from medgen_utils.domains import DomainDataset
from medgen_utils.training import ERM, Augmentation, fit


def fine_tune(
    pretrained: ERM,
    train: DomainDataset,
    *,
    steps: int,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-3,
    seed: int = 0,
    augment: Augmentation | None = None,
    batch_size: int = 48,
    device: str | torch.device | None = None,
) -> ERM:
    """Plain ERM on labelled images that starts from a copy of the pre-trained featurizer, with a new linear head."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Linear(pretrained.classifier.in_features, len(train.class_names))
    model = ERM(copy.deepcopy(pretrained.featurizer), head, len(train.domain.unique()))
    fit(
        model, train, steps=steps, learning_rate=learning_rate, weight_decay=weight_decay,
        batch_size=batch_size, augment=augment, seed=seed, device=device,
    )  # fmt: skip
    return model
