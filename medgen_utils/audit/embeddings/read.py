"""Embeddings as people have them: an npz, or a table with a column a number. Used by ``audit --features``."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.pretraining.embeddings import Embeddings, embeddings
from medgen_utils.tables import BadTable, did_you_mean, read_table, require, shown


class Study(NamedTuple):
    """Checked embeddings, the names of their classes, whether patients are known, and what a reader should be told."""

    data: Embeddings
    class_names: tuple[str, ...]
    patients_named: bool
    notices: tuple[str, ...]


def read_embeddings(
    path: str | Path,
    *,
    features: str,
    label: str = "y",
    domain: str = "domain",
    group: str | None = None,
    exclude: Sequence[str] = (),
    separator: str | None = None,
    encoding: str | None = None,
) -> Study:
    """Embeddings with the class, hospital and patient of each image.

    An npz holds the arrays ``features`` (n, d), ``label``, ``domain`` and ``group`` (n,) under these names; a table
    (CSV also compressed, xlsx, parquet) a column a number, called ``features``_0, ``features``_1 ... An npz of
    float16 is the form for many: 100,000 embeddings of 1,280 numbers are 256 MB. Classes are numbered in the order of
    their names. separator, encoding: of a text table, found where None.
    BadTable (a ValueError) where something is missing or cannot be read.
    """
    path = Path(path)
    columns = [label, domain, *([group] if group else [])]
    if path.suffix == ".npz":
        z, words, notices = _npz(path, features, columns)
    else:
        z, words, notices = _table(path, read_table(path, separator=separator, encoding=encoding), features, columns)
    hospitals = np.char.strip(words[domain])
    _known(path, exclude, hospitals)
    keep = ~np.isin(hospitals, list(exclude))
    names, y = np.unique(np.char.strip(words[label][keep]), return_inverse=True)
    if all(name.isdecimal() for name in names):
        order = np.argsort(names.astype(int))
        names, y = names[order], np.argsort(order)[y]
    patients = np.char.strip(words[group][keep]) if group else None
    data = embeddings(z[keep], y, hospitals[keep], patients)
    return Study(data, tuple(names.tolist()), group is not None, tuple(notices))


def _npz(path: Path, features: str, columns: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            lacking = [name for name in (features, *columns) if name not in file.files]
            if lacking:
                near = did_you_mean(lacking[0], file.files) or f"it has {', '.join(file.files)}"
                raise BadTable(f"{path} has no array {lacking[0]!r}: {near}")
            arrays = {name: file[name] for name in (features, *columns)}
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise BadTable(f"{path} cannot be read as npz ({error}): write it again with numpy.savez") from error
    except ValueError as error:
        if isinstance(error, BadTable):
            raise
        raise BadTable(
            f"{path} holds Python objects: save plain arrays of numbers and text (dtype float, str)"
        ) from None
    flat = {name: arrays[name].ravel() for name in columns}
    if any(len(array) != len(arrays[features]) for array in flat.values()):
        sizes = ", ".join(f"{name} {arrays[name].shape}" for name in (features, *columns))
        raise BadTable(f"{path}: {sizes}: give one row an image in all of them")
    return arrays[features], {name: array.astype(str) for name, array in flat.items()}, []


def _table(
    path: Path, table: pd.DataFrame, features: str, columns: Sequence[str]
) -> tuple[np.ndarray, dict[str, np.ndarray], list[str]]:
    for column in columns:
        require(path, table, column)
    numbered = [
        column for column in table if column.startswith(f"{features}_") and column[len(features) + 1 :].isdigit()
    ]
    numbered.sort(key=lambda column: int(column[len(features) + 1 :]))
    if not numbered or int(numbered[-1][len(features) + 1 :]) != len(numbered) - 1:
        raise BadTable(f"{path}: the embedding needs the columns {features}_0, {features}_1 ..., found {len(numbered)}")
    texts = table[numbered].to_numpy(str)
    try:
        z = texts.astype(np.float32)
    except ValueError:
        for row, line in zip(table.index, texts, strict=True):
            for column, text in zip(numbered, line, strict=True):
                try:
                    float(text)
                except ValueError:
                    raise BadTable(
                        f"{path}, row {row}: {column} is {shown(str(text))}, no number: mend or drop it"
                    ) from None
        raise
    return z, {column: table[column].to_numpy(str) for column in columns}, table.attrs["notices"]


def _known(path: Path, exclude: Sequence[str], hospitals: np.ndarray) -> None:
    for name in exclude:
        if name not in hospitals:
            raise BadTable(
                f"{path}: no domain {name!r} to exclude: {did_you_mean(name, np.unique(hospitals)) or 'check it'}"
            )
