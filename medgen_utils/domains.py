"""Images of several domains in memory, and how they are divided. Chapters: generalization_gap, evaluation_protocols."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils import provenance


@dataclass(frozen=True)
class DatasetInfo:
    """Where a data set comes from and what to be careful about; shown under every figure that uses it.

    ``dropped`` lists the images that the loader left out, as "file: reason".
    """

    name: str
    title: str
    source: str
    licence: str
    citation: str
    warnings: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Batch(NamedTuple):
    """What one training step sees of ONE domain: x (n, C, H, W) in [0, 1], y (n,) int64, domain (n,) int64."""

    x: Tensor
    y: Tensor
    domain: Tensor


def joined(batches: Sequence[Batch]) -> Batch:
    """The batches of one step, one a domain, as a single batch in their order."""
    return Batch(*(torch.cat(parts) for parts in zip(*batches, strict=True)))


class Algorithm(Protocol):
    """What `training.fit` trains and everything else predicts with: these two methods are all it needs.

    Where it also has ``prepare(learning_rate, weight_decay, total_steps)``, `training.fit` calls that once before the
    first step: the place to make an optimiser. Most algorithms are a `training.ERM`. Chapter: generalization_gap.
    """

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Learn from one step, a batch a training domain; returns what to log of it."""
        ...

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> logits (n, k)."""
        ...


@dataclass(frozen=True)
class DomainDataset:
    """Labelled images of several domains (hospitals, scanners, graders), all in memory.

    x (N, C, H, W) float32 in [0, 1]; y (N,) int64, an index into ``class_names``; domain (N,) int64, an index into
    ``domain_names``; group (N,) str, the patient or slide, "" where the publisher gives none; file (N,) str, the
    publisher's name of each image, None where there is none; index (N,) int64, the position of each image in the data
    set as it was loaded, which subsets keep, so that predictions on different subsets can be matched. domains, a table
    with a row a domain name: hospital, country, scanner and more (`provenance.COLUMNS`; empty where not given).
    covariates, a table with a row an image: what else is known of it (lesion_fraction, scanner), None where nothing is.
    Raises ValueError where shapes, types or ranges do not fit. Chapter: generalization_gap.
    """

    x: Tensor
    y: Tensor
    domain: Tensor
    group: np.ndarray
    class_names: tuple[str, ...]
    domain_names: tuple[str, ...]
    info: DatasetInfo
    file: np.ndarray | None = field(default=None, kw_only=True)
    index: Tensor | None = field(default=None, kw_only=True)
    domains: pd.DataFrame | None = field(default=None, kw_only=True, repr=False)
    covariates: pd.DataFrame | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        name = self.info.name
        if self.index is None:
            object.__setattr__(self, "index", torch.arange(len(self.x)))
        if self.domains is None:
            object.__setattr__(self, "domains", provenance.provenance({key: {} for key in self.domain_names}))
        elif list(self.domains.index) != list(self.domain_names):  # after ``replace(dataset, domain_names=...)``
            object.__setattr__(self, "domains", self.domains.reindex(list(self.domain_names), fill_value=""))
        if self.x.dtype != torch.float32 or self.x.ndim != 4:
            raise ValueError(f"x of {name} is {self.x.dtype} {tuple(self.x.shape)}: give float32 of shape (N, C, H, W)")
        if self.x.numel():
            low, high = (float(value) for value in torch.aminmax(self.x))
            if not (low >= 0 and high <= 1):  # written so that NaN fails too
                raise ValueError(f"x of {name} ranges from {low} to {high}: scale intensities to [0, 1]")
        for key, names in (("y", self.class_names), ("domain", self.domain_names)):
            values = getattr(self, key)
            if values.dtype != torch.int64 or values.shape != (len(self.x),):
                raise ValueError(
                    f"{key} of {name} is {values.dtype} {tuple(values.shape)}: give int64 of shape ({len(self.x)},)"
                )
            if len(values) and not (values.min() >= 0 and values.max() < len(names)):
                raise ValueError(
                    f"{key} of {name} ranges from {values.min()} to {values.max()}, with {len(names)} names {names}: "
                    f"number from 0 to {len(names) - 1}"
                )
        for key in ("group", "file"):
            values = getattr(self, key)
            if key == "file" and values is None:
                continue
            if not isinstance(values, np.ndarray) or values.dtype.kind != "U" or values.shape != (len(self.x),):
                raise ValueError(f"{key} of {name}: give a numpy array of {len(self.x)} str, one an image")
        if self.covariates is not None and len(self.covariates) != len(self.x):
            raise ValueError(f"covariates of {name} has {len(self.covariates)} rows for {len(self.x)} images")

    def __len__(self) -> int:
        return len(self.y)

    def subset(self, index: np.ndarray | Tensor) -> DomainDataset:
        """The images picked by a boolean mask (N,) or by positions; names and numbering stay as they are."""
        index = self.positions(index)
        picked = {item.name: getattr(self, item.name) for item in fields(self)}
        picked = {key: value[index] for key, value in picked.items() if isinstance(value, Tensor)} | {
            key: value[index.numpy()] for key, value in picked.items() if isinstance(value, np.ndarray)
        }
        if self.covariates is not None:
            picked["covariates"] = self.covariates.iloc[index.numpy()].reset_index(drop=True)
        return replace(self, **picked)

    def positions(self, index: np.ndarray | Tensor) -> Tensor:
        """A boolean mask (N,) or positions as positions (n,) int64; ValueError for a mask of another shape."""
        index = torch.as_tensor(index)
        if index.dtype == torch.bool:
            if index.shape != (len(self),):
                raise ValueError(
                    f"a mask of shape {tuple(index.shape)} for {len(self)} images: give one value an image"
                )
            index = index.nonzero().squeeze(1)
        return index.to(torch.int64)

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
        """One row a domain that has images: how many, of how many groups, the share of each class, and where from.

        groups are patients or slides, 0 where unknown; "where from" is hospital, country and scanner where they are
        filled in; the attribute ``domains`` holds all that is known.
        """
        rows = []
        for number in self.domain.unique().tolist():
            inside = self.domain == number
            groups = set(self.group[inside.numpy()]) - {""}
            shares = {name: float((self.y[inside] == k).float().mean()) for k, name in enumerate(self.class_names)}
            rows.append(
                {"domain": self.domain_names[number], "images": int(inside.sum()), "groups": len(groups)} | shares
            )
        counts = pd.DataFrame(rows).set_index("domain")
        origin = self.domains.loc[counts.index, ["hospital", "country", "scanner"]]
        return counts.join(origin.loc[:, (origin != "").any()])

    def sites(self) -> dict[str, str]:
        """Domain name -> site: scanners of one hospital share it; a domain whose hospital is unknown is its own."""
        return provenance.sites(self.domains)


def units(
    data: DomainDataset | pd.DataFrame,
    names: Sequence[str] | None = None,
    by: Literal["hospital", "scanner"] = "hospital",
) -> tuple[str, ...]:
    """The domains that stand for independent hospitals in a comparison: their names, checked.

    ``data`` is a data set (its domains with images) or a table such as ``dataset.domains``; ``names`` picks some.
    ValueError where two of them are scanners of one hospital, naming them; ``by="scanner"`` says that scanners are
    meant. Call it wherever an interval or a test counts domains. Chapter: evaluation_protocols.
    """
    if isinstance(data, DomainDataset):
        present = [data.domain_names[number] for number in data.domain.unique().tolist()]
        return provenance.distinct_sites(data.domains, present if names is None else names, by)
    return provenance.distinct_sites(data, names, by)


def shared_groups(dataset: DomainDataset) -> dict[str, tuple[str, ...]]:
    """The groups (patients, slides) with images in several domains -> the names of these domains."""
    known = dataset.group != ""
    pairs = sorted(set(zip(dataset.group[known].tolist(), dataset.domain.numpy()[known].tolist(), strict=True)))
    homes: dict[str, list[str]] = {}
    for group, number in pairs:
        homes.setdefault(group, []).append(dataset.domain_names[number])
    return {group: tuple(names) for group, names in homes.items() if len(names) > 1}


def leave_one_domain_out(
    dataset: DomainDataset, by: Literal["hospital", "scanner"] = "hospital", accept_shared_groups: bool = False
) -> Iterator[tuple[str, DomainDataset, DomainDataset]]:
    """Each hospital in turn as the unseen target: yields (target name, sources, target).

    The evaluation scheme of the whole book. Scanners of one hospital (`DomainDataset.sites`) are left out together;
    ``by="scanner"`` leaves out one domain at a time. ValueError where there is one hospital only, and where a patient
    or slide has images on both sides, unless ``accept_shared_groups`` says that this is wanted.
    """
    present = [dataset.domain_names[number] for number in dataset.domain.unique().tolist()]
    of = dataset.sites() if by == "hospital" else {name: name for name in present}
    provenance.distinct_sites(dataset.domains, present, "scanner" if by == "hospital" else by)  # refuses another ``by``
    together: dict[str, list[str]] = {}
    for name in present:
        together.setdefault(of[name], []).append(name)
    if len(together) < 2:
        raise ValueError(
            f"{dataset.info.name} has one domain or hospital only, {list(together)}: "
            "leaving it out leaves nothing to train on" + (' (by="scanner"?)' if len(present) > 1 else "")
        )
    for group, homes in shared_groups(dataset).items():
        if not accept_shared_groups and len({of[name] for name in homes}) > 1:
            raise ValueError(
                f"group {group!r} of {dataset.info.name} has images in {', '.join(homes)}, so it would be on both "
                "sides: give each patient one domain, or say accept_shared_groups=True"
            )
    for site, names in together.items():
        yield names[0] if len(names) == 1 else site, dataset.without(*names), dataset.only(*names)


def split(
    dataset: DomainDataset, seed: int, fractions: tuple[float, float, float] = (0.6, 0.1, 0.3)
) -> tuple[DomainDataset, DomainDataset, DomainDataset]:
    """Training, validation and test part of every domain; images of one group (patient, slide) never part.

    Within a domain the groups come in random order. Each goes to one of the parts that have room for its classes, drawn
    in proportion to that room, or where none has, to the one whose wanted number of images it exceeds least (squared,
    relative), so that large groups are found in any part. Of ten such draws the one nearest to the wanted shares of
    every class is kept: the parts are stratified by label as far as whole groups allow. An image with group "" is a
    group of its own; a part of a tiny domain may be empty. The same seed gives the same split, and the split of a
    domain does not depend on which other domains are there; so a group with images in several domains may part, and a
    warning names it. ``fractions`` are >= 0 and add up to 1 (ValueError); a fraction of 0 gives an empty part.
    Chapters: generalization_gap, evaluation_protocols.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"fractions={fractions}: give three shares >= 0 that add up to 1")
    shared = shared_groups(dataset)
    if shared:
        group, homes = next(iter(shared.items()))
        warnings.warn(
            f"{len(shared)} group(s) of {dataset.info.name} have images in several domains, the first: {group!r} in "
            f"{', '.join(homes)}; a split divides each domain for itself, so they may be on both sides",
            stacklevel=2,
        )
    part = np.zeros(len(dataset), dtype=np.int64)
    for number in dataset.domain.unique().tolist():
        inside = (dataset.domain == number).nonzero().squeeze(1).numpy()
        random = np.random.default_rng([seed, zlib.crc32(dataset.domain_names[number].encode())])
        part[inside] = _share_out(dataset.y[inside].numpy(), dataset.group[inside], fractions, random)
    train, validation, test = (dataset.subset(part == k) for k in range(3))
    return train, validation, test


def _share_out(
    y: np.ndarray, group: np.ndarray, fractions: tuple[float, ...], random: np.random.Generator
) -> np.ndarray:
    """The part (N,) of each image of one domain; see `split`."""
    alone = np.array([f"image {i}" for i in range(len(group))])
    _, unit = np.unique(np.where(group == "", alone, np.char.add("group ", group)), return_inverse=True)
    counts = np.zeros((unit.max() + 1, y.max() + 1))
    np.add.at(counts, (unit, y), 1)
    counts = counts[:, counts.sum(0) > 0]
    used = np.flatnonzero(fractions)
    target = np.outer(np.asarray(fractions)[used], counts.sum(0))
    draws = [_draw(counts, target, random) for _ in range(10 if len(counts) < len(y) else 1)]
    _, part = min(draws, key=lambda draw: draw[0])
    return used[part][unit]


def _draw(counts: np.ndarray, target: np.ndarray, random: np.random.Generator) -> tuple[float, np.ndarray]:
    """A random division of the groups, given their ``counts`` of each class, and how far it is from ``target``."""
    room = target.copy()  # images of each class that each part still lacks
    part = np.zeros(len(counts), dtype=np.int64)
    for i in random.permutation(len(counts)):
        excess = (np.clip(counts[i] - room, 0, None) ** 2 - np.clip(-room, 0, None) ** 2) / target
        excess = excess.sum(1)
        weight = (np.clip(room, 0, None) @ counts[i] + 1e-12) * (excess <= excess.min() + 1e-9)
        steps = weight.cumsum()
        part[i] = np.searchsorted(steps, random.random() * steps[-1], side="right")
        room[part[i]] -= counts[i]
    return float((room**2 / target).sum()), part
