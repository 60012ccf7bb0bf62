"""MedMNIST: what its sets share, and any of them as a `DomainDataset`. Chapter: generalization_gap."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch

from medgen_utils.data import prepared
from medgen_utils.data.prepared import (
    DataCorrupt,
    DataUnavailable,
    Source,
    cache_folder,
    check,
    load_npz,
    locked,
    search,
    to_tensor,
    where_to_put,
)
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

CITATION = "Yang et al. 2023, MedMNIST v2, Scientific Data 10:41, doi:10.1038/s41597-022-01721-8"
SOURCE = "doi:10.5281/zenodo.10519652"
PARTS = ("train", "val", "test")  # of a file
DISEASE_FIRST = (
    "breastmnist",
)  # sets whose class 0 is the disease: flipped, so that class 1 is the disease everywhere
SIZES = (28, 64, 128, 224)
# MD5 of the 28 px files, as in medmnist.INFO: files found on disk are checked without the slow import of medmnist
MD5 = {
    "breastmnist": "750601b1f35ba3300ea97c75c52ff8f6",
    "pneumoniamnist": "28209eda62fecd6e6a2d98b1501bb15f",
    "organamnist": "68e3f8846a6bd62f0c9bf841c0d9eacc",
    "organcmnist": "b9ceb9546e10131b32923c5bbeaea2b1",
    "organsmnist": "9ab87b696fb54e2a387ebe992d6ed5f1",
    "pathmnist": "a8b06965200029087d5bd730944a56c1",
}


def from_medmnist(
    flag: str, size: int = 28, domains: Literal["one", "split"] | Mapping[str, str] = "one"
) -> DomainDataset:
    """Any two-dimensional, single-label MedMNIST set (``"dermamnist"``) as a DomainDataset.

    ``domains`` is the rule that gives an image its domain: "one", all images pooled into one domain; "split", the
    publisher's train, val and test as three domains; or a mapping from these three to domain names, such as
    ``{"train": "centre 1", "val": "centre 1", "test": "centre 2"}``. Groups are unknown. Sizes 28, 64, 128, 224.
    Classes in the publisher's order, but class 1 is the disease: breastmnist is flipped.
    Raises ValueError for an unknown flag, size or rule and for several labels an image; DataUnavailable, DataCorrupt
    as `load`. Imports `medmnist`, which takes seconds.
    """
    from medmnist import INFO

    known = sorted(name for name in INFO if not name.endswith("3d"))
    if flag not in known:
        raise ValueError(f"no two-dimensional MedMNIST set {flag!r}: choose from {', '.join(known)}")
    if domains == "one":
        rule: Mapping[str, str] = dict.fromkeys(PARTS, flag)
    elif domains == "split":
        rule = {part: part for part in PARTS}
    elif isinstance(domains, Mapping) and set(domains) == set(PARTS):
        rule = domains
    else:
        raise ValueError(f'domains={domains!r}: give "one", "split", or a domain name for each of train, val and test')
    labels = INFO[flag]["label"]
    info = DatasetInfo(
        flag,
        INFO[flag]["python_class"],
        SOURCE,
        INFO[flag]["license"],
        CITATION,
        ("No patient ids: a split may leak patients.",),
    )
    class_names = tuple(labels[key] for key in sorted(labels, key=int))
    table = provenance({name: {} for name in dict.fromkeys(rule.values())}, hospital=NOT_STATED)
    dataset = pool([arrays(flag, size)], [rule], class_names, info, table)
    return flipped(dataset) if flag in DISEASE_FIRST else dataset


def pool(
    parts: Sequence[dict[str, np.ndarray]],
    rules: Sequence[Mapping[str, str]],
    class_names: tuple[str, ...],
    info: DatasetInfo,
    domains: pd.DataFrame | None = None,
) -> DomainDataset:
    """Several MedMNIST files as one data set; rules[i] maps train, val, test of parts[i] to a domain name.

    ``domains`` is its provenance. ValueError where an image has several labels.
    """
    pieces = [(arrays, part, rule[part]) for arrays, rule in zip(parts, rules, strict=True) for part in PARTS]
    names = tuple(dict.fromkeys(name for *_, name in pieces))
    labels = [arrays[f"{part}_labels"].reshape(len(arrays[f"{part}_images"]), -1) for arrays, part, _ in pieces]
    if labels[0].shape[1] != 1:
        raise ValueError(f"{info.name} has {labels[0].shape[1]} labels an image: choose a set with one label an image")
    domain = [np.full(len(y), names.index(name)) for y, (*_, name) in zip(labels, pieces, strict=True)]
    return DomainDataset(
        torch.cat([to_tensor(arrays[f"{part}_images"]) for arrays, part, _ in pieces]),
        torch.from_numpy(np.concatenate(labels).ravel().astype(np.int64)),
        torch.from_numpy(np.concatenate(domain)),
        np.full(sum(map(len, labels)), "", dtype=str),
        class_names,
        names,
        info,
        domains=domains,
    )


def flipped(dataset: DomainDataset) -> DomainDataset:
    """A data set of two classes with the classes in the other order."""
    return replace(dataset, y=1 - dataset.y, class_names=dataset.class_names[::-1])


def file_name(flag: str, size: int) -> str:
    """The name under which the package `medmnist` keeps a set: ``breastmnist.npz``, ``breastmnist_64.npz``."""
    return f"{flag}.npz" if size == 28 else f"{flag}_{size}.npz"


def arrays(flag: str, size: int = 28) -> dict[str, np.ndarray]:
    """The arrays ``{train,val,test}_{images,labels}`` of a set, from disk or through `medmnist`'s own download.

    Sizes 28, 64, 128, 224 (ValueError). A file found on disk at 28 px is checked by its MD5 where it is one of `MD5`.
    """
    if size not in SIZES:
        raise ValueError(f"size={size}: MedMNIST comes in 28, 64, 128 and 224 px; choose one of these")
    file = file_name(flag, size)
    path = search(file)
    if path is None:
        path = _download(flag, size)
    elif size == 28 and flag in MD5:
        check(path, f"md5:{MD5[flag]}")
    found = load_npz(path)
    for part in PARTS:
        images, labels = found.get(f"{part}_images"), found.get(f"{part}_labels")
        if images is None or labels is None:
            raise DataCorrupt(f"{path} lacks {part}_images or {part}_labels: delete the file and load again")
        if images.dtype != np.uint8 or images.shape[1:] not in ((size, size), (size, size, 3)):
            raise DataCorrupt(
                f"{path}: {part}_images is {images.dtype} {images.shape}, not uint8 of {size} x {size} px"
            )
        if len(labels) != len(images):
            raise DataCorrupt(f"{path}: {len(labels)} labels for {len(images)} images in {part}")
    return found


def _download(flag: str, size: int) -> Path:
    import medmnist  # takes seconds, so only where it is needed

    path = cache_folder() / file_name(flag, size)
    suffix = "" if size == 28 else f"_{size}"
    info = medmnist.INFO[flag]
    source = Source(path.name, info[f"url{suffix}"], f"md5:{info[f'MD5{suffix}']}")
    with locked(path):
        for attempt in range(prepared.ATTEMPTS):
            if path.is_file():  # fetched now, or by another process while this one waited
                return path
            time.sleep(prepared.PAUSE * 2 ** (attempt - 1) if attempt else 0)
            with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
                try:  # checks the MD5
                    getattr(medmnist, info["python_class"])(split="train", download=True, root=folder, size=size)
                    (Path(folder) / path.name).replace(path)
                except RuntimeError as error:
                    reason = error
    if not path.is_file():
        raise DataUnavailable(
            f"{path.name} is not on this machine, and medmnist could not download it.\n{where_to_put(source)}"
        ) from reason
    return path
