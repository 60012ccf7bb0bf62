"""Features of a data set, computed once and kept. Chapter: pretraining."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medgen_utils.data.prepared import cache_folder
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import in_batches


def dataset_features(
    backbone: nn.Module, dataset: DomainDataset, *, folder: Path | None = None, batch_size: int = 256
) -> Tensor:
    """Features (N, d) float32 of every image, in evaluation mode; kept as float16 under a name that is their content.

    The name in ``folder`` (by default ``features`` in the book's cache) is a hash of the images, their size and the
    weights of ``backbone``: another network or data set has another file, so nothing can be mixed up. The numbers are
    those of the file, rounded to float16, also at the first time; a file that is cut off is made anew.
    """
    folder = folder or cache_folder() / "features"
    path = folder / f"{fingerprint(backbone, dataset)}.npz"
    try:
        with np.load(path) as stored:
            z = stored["z"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        z = in_batches(backbone, backbone, dataset.x, batch_size).half().numpy()
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")  # another process may be at the same
        with unfinished.open("wb") as stream:
            np.savez_compressed(stream, z=z)
        unfinished.replace(path)
    return torch.from_numpy(z.astype(np.float32))


def fingerprint(backbone: nn.Module, dataset: DomainDataset) -> str:
    """Hash of images, shape, and names and values of the weights: 32 hexadecimal digits."""
    found = hashlib.sha256(repr((tuple(dataset.x.shape), type(backbone).__name__)).encode())
    found.update(np.ascontiguousarray(dataset.x.numpy()).data)
    for name, value in backbone.state_dict().items():
        found.update(name.encode())
        found.update(np.ascontiguousarray(value.detach().cpu().numpy()).data)
    return found.hexdigest()[:32]
