"""One table: the name of a data set -> the file that loads it. Chapter: generalization_gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd

from medgen_utils import clinic
from medgen_utils.data import breast_hospitals, colon_centres, mitosis, organ_views, pneumonia
from medgen_utils.data.prepared import search
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.hospital import describe


class DataSet(NamedTuple):
    """A data set of the book, and where its domains come from.

    ``files(size)``: what ``load(size)`` needs; of each tuple one file is enough.
    """

    info: DatasetInfo
    domains: pd.DataFrame
    load: Callable[..., DomainDataset]
    files: Callable[..., list[tuple[str, ...]]]


SETS: dict[str, DataSet] = {
    "clinic": DataSet(clinic.INFO, describe(clinic.acquisition_hospitals()), clinic.default_clinic, lambda size: []),
    "breast-hospitals": DataSet(
        breast_hospitals.INFO, breast_hospitals.DOMAINS, breast_hospitals.load, breast_hospitals.files
    ),
    "mitosis": DataSet(mitosis.INFO, mitosis.DOMAINS, mitosis.load, mitosis.files),
    "pneumonia": DataSet(pneumonia.INFO, pneumonia.DOMAINS, pneumonia.load, pneumonia.files),
    "organ-views": DataSet(organ_views.INFO, organ_views.DOMAINS, organ_views.load, organ_views.files),
    "colon-centres": DataSet(colon_centres.INFO, colon_centres.DOMAINS, colon_centres.load, colon_centres.files),
}
DATASETS: dict[str, DatasetInfo] = {name: data_set.info for name, data_set in SETS.items()}

_IN_USE: WeakValueDictionary[tuple, DomainDataset] = WeakValueDictionary()


def load(
    name: str,
    size: int = 28,
    *,
    view: Literal["lesion", "frame"] | None = None,
    domains: Literal["site", "scanner"] | None = None,
    duplicates: bool | None = None,
    accept_noncommercial: bool | None = None,
) -> DomainDataset:
    """One of the book's data sets, by its name in `DATASETS`, with images of ``size`` x ``size`` px in [0, 1].

    Found in the folder MEDGEN_DATA, else in the cache, else downloaded from its publisher; never replaced by another.
    Domains: clinic, its hospitals; breast-hospitals, four sites (`breast_hospitals.load` explains view, domains,
    duplicates and accept_noncommercial, which are its own); mitosis, six scanners and centres; pneumonia, one
    hospital; organ-views, three views; colon-centres, two centres. ``dataset.domains`` says where the images of each
    domain come from.
    Sizes: 28 or 64; also 128 for breast-hospitals and mitosis, 128 and 224 for pneumonia, organ-views and
    colon-centres; any for the clinic. While a data set is in use, a second `load` of the same files returns the same
    object: do not write into its arrays.
    Raises ValueError (unknown name, size, option), DataUnavailable (neither file nor network) or DataCorrupt (a file
    that is not the publisher's). Chapter: generalization_gap.
    """
    data_set = _known(name)
    given = {"view": view, "domains": domains, "duplicates": duplicates, "accept_noncommercial": accept_noncommercial}
    options = {key: value for key, value in given.items() if value is not None}
    if options and name != "breast-hospitals":
        raise ValueError(f"{name} has no options {sorted(options)}: leave them out")
    key = (name, size, *options.items())
    dataset = _IN_USE.get((*key, _found(data_set, size, options)))
    if dataset is None:
        dataset = data_set.load(size, **options)
        _IN_USE[*key, _found(data_set, size, options)] = dataset  # the files may have come just now
    return dataset


def load_graders(name: Literal["ami-br", "atnorm-md"], size: int = 28) -> tuple[DomainDataset, pd.DataFrame]:
    """The images of the mitosis data that several experts graded, and their votes, row by row in step.

    ami-br: 3 experts, 3720 images of four scanners; atnorm-md: 5 experts, 2107 images of MIDOG++. The frame has a
    column an expert (``expert_1``, ...), 1.0 where they said atypical, 0.0 normal, NaN not asked, and the image's
    ``file`` as index. ``dataset.y`` is the publisher's majority vote. The votes of AtNorM-MD have no address of their
    own: DataUnavailable where they are neither on disk nor were in the archive the images came from. Other errors as
    `load`. Chapter: concept_shift.
    """
    votes = mitosis.votes(name)
    patches = load("mitosis", size)
    graded = patches.subset(np.isin(patches.file, votes.index))
    return graded, votes.loc[graded.file]


def find(name: str, size: int = 28) -> bool:
    """Whether every file of `load(name, size)` is on this machine already (MEDGEN_DATA or the cache)."""
    return all(any(search(file) for file in alternatives) for alternatives in _known(name).files(size))


def _known(name: str) -> DataSet:
    if name not in SETS:
        raise ValueError(f"no data set {name!r}: choose from {', '.join(SETS)}")
    return SETS[name]


def _found(data_set: DataSet, size: int, options: dict[str, object]) -> tuple:
    """Path, size and time of the files on this machine: a file that was replaced is read again."""
    paths = [search(file) for alternatives in data_set.files(size, **options) for file in alternatives]
    return tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in paths if path)
