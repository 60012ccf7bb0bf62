"""Images with their labels, domains and patients, as arrays in memory. Chapter: generalization_gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor


class Batch(NamedTuple):
    """What one training step sees of ONE domain: x (n, C, H, W) in [0, 1], y (n,) int64, domain (n,) int64."""

    x: Tensor
    y: Tensor
    domain: Tensor


@dataclass(frozen=True)
class DatasetInfo:
    """Where a data set comes from and what to be careful about; shown under every figure that uses it."""

    name: str
    title: str
    source: str
    licence: str
    citation: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DomainDataset:
    """Labelled images of several domains (hospitals, scanners, graders), all in memory.

    x (N, C, H, W) float32 in [0, 1]; y (N,) int64, an index into ``class_names``; domain (N,) int64, an index into
    ``domain_names``; group (N,) str, the patient or slide, "" where the publisher gives none.
    Raises ValueError where shapes, types or ranges do not fit. Chapter: generalization_gap.
    """

    x: Tensor
    y: Tensor
    domain: Tensor
    group: np.ndarray
    class_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    info: DatasetInfo

    def __len__(self) -> int:
        return len(self.y)

    def subset(self, index: np.ndarray | Tensor) -> DomainDataset:
        """The images picked by a boolean mask (N,) or by positions; names and numbering stay as they are."""
        index = torch.as_tensor(index)
        if index.dtype == torch.bool:
            index = index.nonzero().squeeze(1)
        return replace(
            self, x=self.x[index], y=self.y[index], domain=self.domain[index], group=self.group[index.numpy()]
        )

    def only(self, *domain_names: str) -> DomainDataset:
        """The images of the named domains."""
        return self.subset(torch.isin(self.domain, self._domain_numbers(domain_names)))

    def without(self, *domain_names: str) -> DomainDataset:
        """The images of all other domains."""
        return self.subset(~torch.isin(self.domain, self._domain_numbers(domain_names)))

    def _domain_numbers(self, names: tuple[str, ...]) -> Tensor:
        for name in names:
            if name not in self.domain_names:
                raise ValueError(f"no domain {name!r} in {self.info.name}: choose from {self.domain_names}")
        return torch.tensor([self.domain_names.index(name) for name in names], dtype=torch.int64)

    def summary(self) -> pd.DataFrame:
        """One row a domain: number of images, of groups (patients or slides; 0 where unknown), share of each class."""
        rows = []
        for number in self.domain.unique().tolist():
            inside = self.domain == number
            groups = set(self.group[inside.numpy()]) - {""}
            shares = {name: float((self.y[inside] == k).float().mean()) for k, name in enumerate(self.class_names)}
            rows.append({"domain": self.domain_names[number], "images": int(inside.sum()), "groups": len(groups)} | shares)
        return pd.DataFrame(rows).set_index("domain")


def leave_one_domain_out(dataset: DomainDataset) -> Iterator[tuple[str, DomainDataset, DomainDataset]]:
    """Each domain in turn as the unseen target: yields (target name, sources, target).

    The evaluation scheme of the whole book. ValueError where the data set has one domain only.
    """
    present = [dataset.domain_names[number] for number in dataset.domain.unique().tolist()]
    if len(present) < 2:
        raise ValueError(f"{dataset.info.name} has the one domain {present}: leaving it out leaves nothing to train on")
    for name in present:
        yield name, dataset.without(name), dataset.only(name)
