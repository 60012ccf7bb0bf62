"""The data sets of the book, and the reader's own, as `DomainDataset`. Chapter: generalization_gap.

Everything a chapter needs of data is a name of this module; the parts live in `domains` (types, splits), `catalogue`
(sources, licences, warnings), `download` and `publishers` (from the publisher's archive to arrays) and `folder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils.clinic import default_clinic
from medgen_utils.data import publishers
from medgen_utils.data.catalogue import DATASETS, MEDMNIST, MEDMNIST_DATA
from medgen_utils.data.own_images import from_folder
from medgen_utils.data.prepared import DataCorrupt, DataUnavailable, search
from medgen_utils.domains import Batch, DatasetInfo, DomainDataset, leave_one_domain_out, split

__all__ = [
    "DATASETS", "Batch", "DataCorrupt", "DataUnavailable", "DatasetInfo", "DomainDataset", "find",
    "from_folder", "from_medmnist", "leave_one_domain_out", "load", "load_graders", "split",
]  # fmt: skip

PARTS = ("train", "val", "test")  # of a MedMNIST file
CAIRO = "GE Logiq E9"  # the scanner of BreastMNIST's one hospital, in Cairo
MEDMNIST_FLAGS = {
    "breast-ultrasound": ("breastmnist",),
    "pneumonia": ("pneumoniamnist",),
    "organ-views": ("organamnist", "organcmnist", "organsmnist"),
    "colon-centres": ("pathmnist",),
}
_ORGANS = "bladder femur-left femur-right heart kidney-left kidney-right liver lung-left lung-right pancreas spleen"
_TISSUES = (
    "adipose,background,debris,lymphocytes,mucus,smooth muscle,normal colon mucosa,cancer-associated stroma,"
    "colorectal adenocarcinoma epithelium"
)
CLASS_NAMES = {
    "breast-ultrasound": ("malignant", "benign or normal"),
    "mitosis": ("normal", "atypical"),
    "pneumonia": ("normal", "pneumonia"),
    "organ-views": tuple(_ORGANS.split()),
    "colon-centres": tuple(_TISSUES.split(",")),
}


def _images(arrays: np.ndarray) -> Tensor:
    """uint8 (N, H, W) or (N, H, W, 3) -> float32 (N, C, H, W) in [0, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(arrays))
    x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    return x.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


def find(name: str, size: int = 28) -> bool:
    """Whether every file of `load(name, size)` is on this machine already (MEDGEN_DATA or the cache)."""
    return all(any(search(file) for file in alternatives) for alternatives in _files(name, size))


def _files(name: str, size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough, the prepared arrays or the publisher's archive."""
    if name not in DATASETS:
        raise ValueError(f"no data set {name!r}: choose from {', '.join(DATASETS)}")
    archives = {"breast-ultrasound": ("busbra", publishers.BUSBRA), "mitosis": ("mitosis", publishers.AMIBR)}
    files = [(publishers.medmnist_file(flag, size),) for flag in MEDMNIST_FLAGS.get(name, ())]
    if name in archives:
        prepared, source = archives[name]
        files.append((f"{prepared}_{size}.npz", source.file))
    return files


def load(name: str, size: int = 28) -> DomainDataset:
    """One of the book's data sets, by its name in `DATASETS`, with images of ``size`` x ``size`` px in [0, 1].

    Found in the folder MEDGEN_DATA, else in the cache, else downloaded from its publisher; never replaced by another.
    Domains: clinic, its hospitals; breast-ultrasound, BreastMNIST's one hospital (all its images) and three scanners of
    BUS-BRA (U-Systems, with 25 images, is left out); mitosis, six scanners and centres, without AtNorM-Br's duplicates;
    pneumonia, one hospital (the publisher's three parts pooled); organ-views, three views; colon-centres, two centres.
    Sizes: 28 or 64; also 128 and 224 for pneumonia, organ-views and colon-centres; any for the clinic.
    Raises ValueError (unknown name, size), DataUnavailable (neither file nor network) or DataCorrupt (a file that is
    not the publisher's). Chapter: generalization_gap.
    """
    _files(name, size)  # refuses an unknown name
    if name == "clinic":
        return default_clinic(size)
    if name == "breast-ultrasound":
        return _breast_ultrasound(size)
    if name == "mitosis":
        return _mitosis(size)
    parts = [publishers.medmnist_arrays(flag, size) for flag in MEDMNIST_FLAGS[name]]
    if name == "organ-views":
        rules = [dict.fromkeys(PARTS, view) for view in ("axial", "coronal", "sagittal")]
    elif name == "colon-centres":
        first = "centre 1 (NCT-CRC-HE-100K)"
        rules = [{"train": first, "val": first, "test": "centre 2 (CRC-VAL-HE-7K)"}]
    else:
        rules = [dict.fromkeys(PARTS, "Guangzhou")]
    return _pool(parts, rules, CLASS_NAMES[name], DATASETS[name])


def _pool(
    parts: Sequence[dict[str, np.ndarray]],
    rules: Sequence[Mapping[str, str]],
    class_names: tuple[str, ...],
    info: DatasetInfo,
) -> DomainDataset:
    """Several MedMNIST archives as one data set; rules[i] maps train, val, test of parts[i] to a domain name."""
    pieces = [(arrays, part, rule[part]) for arrays, rule in zip(parts, rules, strict=True) for part in PARTS]
    names = tuple(dict.fromkeys(name for *_, name in pieces))
    labels = [arrays[f"{part}_labels"].reshape(len(arrays[f"{part}_images"]), -1) for arrays, part, _ in pieces]
    if labels[0].shape[1] != 1:
        raise ValueError(f"{info.name} has {labels[0].shape[1]} labels an image: choose a set with one label an image")
    domain = [np.full(len(y), names.index(name)) for y, (*_, name) in zip(labels, pieces, strict=True)]
    return DomainDataset(
        torch.cat([_images(arrays[f"{part}_images"]) for arrays, part, _ in pieces]),
        torch.from_numpy(np.concatenate(labels).ravel().astype(np.int64)),
        torch.from_numpy(np.concatenate(domain)),
        np.full(sum(map(len, labels)), "", dtype=str),
        class_names,
        names,
        info,
    )


def _breast_ultrasound(size: int) -> DomainDataset:
    scanners = publishers.prepared("busbra", size)
    info, class_names = DATASETS["breast-ultrasound"], CLASS_NAMES["breast-ultrasound"]
    cairo = _pool([publishers.medmnist_arrays("breastmnist", size)], [dict.fromkeys(PARTS, CAIRO)], class_names, info)
    names = (CAIRO, *map(str, scanners["domain_names"]))
    dataset = DomainDataset(
        torch.cat([cairo.x, _images(scanners["images"])]),
        torch.cat([cairo.y, torch.from_numpy(scanners["labels"].ravel().astype(np.int64))]),
        torch.cat([cairo.domain, torch.from_numpy(scanners["domains"].ravel().astype(np.int64) + 1)]),
        np.concatenate([cairo.group, scanners["groups"]]),
        class_names,
        names,
        info,
        file=np.concatenate([[f"breastmnist/{i}" for i in range(len(cairo))], scanners["files"]]),
    )
    return replace(dataset.without("U-Systems"), domain_names=names[: names.index("U-Systems")])


def _mitosis(size: int) -> DomainDataset:
    arrays = publishers.prepared("mitosis", size)
    keep = without_duplicates(arrays["images"], arrays["labels"].ravel())
    return DomainDataset(
        _images(arrays["images"][keep]),
        torch.from_numpy(arrays["labels"].ravel()[keep].astype(np.int64)),
        torch.from_numpy(arrays["domains"].ravel()[keep].astype(np.int64)),
        arrays["groups"][keep],
        CLASS_NAMES["mitosis"],
        tuple(map(str, arrays["domain_names"])),
        DATASETS["mitosis"],
        file=arrays["files"][keep],
    )


def without_duplicates(images: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions to keep: of pixel-identical images the first, and none where their labels conflict."""
    same: dict[bytes, list[int]] = {}
    for i, image in enumerate(images):
        same.setdefault(image.tobytes(), []).append(i)
    return np.array([positions[0] for positions in same.values() if len(set(y[positions])) == 1], dtype=np.int64)


def from_medmnist(
    flag: str, size: int = 28, domains: Literal["one", "split"] | Mapping[str, str] = "one"
) -> DomainDataset:
    """Any two-dimensional, single-label MedMNIST set (``"dermamnist"``) as a DomainDataset.

    ``domains`` is the rule that gives an image its domain: "one", all images pooled into one domain; "split", the
    publisher's train, val and test as three domains; or a mapping from these three to domain names, such as
    ``{"train": "centre 1", "val": "centre 1", "test": "centre 2"}``. Groups are unknown. Sizes 28, 64, 128, 224.
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
        MEDMNIST_DATA,
        INFO[flag]["license"],
        MEDMNIST,
        ("No patient ids: a split may leak patients.",),
    )
    class_names = tuple(labels[key] for key in sorted(labels, key=int))
    return _pool([publishers.medmnist_arrays(flag, size)], [rule], class_names, info)


def load_graders(name: Literal["ami-br", "atnorm-md"], size: int = 28) -> tuple[DomainDataset, pd.DataFrame]:
    """The images of the mitosis data that several experts graded, and their votes, row by row in step.

    ami-br: 3 experts, 3720 images of four scanners; atnorm-md: 5 experts, 2107 images of MIDOG++. The frame has a
    column an expert (``expert_1``, ...), 1.0 where they said atypical, 0.0 normal, NaN not asked, and the image's
    ``file`` as index. ``dataset.y`` is the publisher's majority vote. Errors as `load`. Chapter: concept_shift.
    """
    votes = publishers.graders(name)
    mitosis = load("mitosis", size)
    graded = mitosis.subset(np.isin(mitosis.file, votes.index))
    return graded, votes.loc[graded.file]
