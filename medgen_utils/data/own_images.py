"""The reader's own images as a `DomainDataset`. Chapter: generalization_gap."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import torch
from PIL import Image

from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.pictures import read_picture
from medgen_utils.provenance import COLUMNS, provenance
from medgen_utils.tables import Ask, as_argument, did_you_mean, one_spelling, read_table, require, unknown_words

NEEDED = ("file", "label", "domain")


def from_folder(
    images: str | Path,
    labels_csv: str | Path | pd.DataFrame,
    *,
    size: int | None = None,
    class_names: Sequence[str] | None = None,
    background: str | None = None,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    ask: Ask = as_argument,
) -> DomainDataset:
    """Your own images with a table of ``file,label,domain`` and, if you have it, ``group`` (patient or slide).

    ``file`` is the path of an image below the folder ``images``; the other columns are read as text. The table is a
    CSV, xlsx or parquet file (see `tables.read_table`; ``separator`` and ``encoding`` where they are not found by
    themselves), or a data frame; columns called as `provenance.COLUMNS` (hospital, scanner ...) fill that table. Grey
    images give x (N, 1, H, W), a single colour image among them x (N, 3, H, W). All images have one size, or ``size``
    resizes them to size x size px (sides stretched, Lanczos). ``class_names`` gives the classes their order (class 1 is
    the positive class of a binary task); by default labels are sorted, as numbers where all are whole numbers.
    ``background``, "black" or "white", is what transparent images lie on. ``columns`` says what yours are called:
    ``{"label": "dx", "group": "patient"}``. ``ask``: how a message names a setting (`tables.as_option` for a command).
    FileNotFoundError where the folder, the table or an image is missing; ValueError for a missing column or value, a
    file listed twice, a label that is no class, a domain with one class only (no metric is defined there), a file that
    is no still 8-bit image (see `pictures.read_picture`), and images of different sizes. Warns of names that differ in
    blanks only (read as one), of a patient in two domains and of one called unknown. Chapter: generalization_gap.
    """
    folder = Path(images)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: give the folder that holds your images")
    where, table = _table(labels_csv, columns or {}, separator, encoding, ask)
    names = tuple(class_names) if class_names is not None else _sorted(table["label"])
    unknown = sorted(set(table["label"]) - set(names))
    if unknown:
        hint = did_you_mean(unknown[0], names) or "add them, or correct the labels"
        raise ValueError(f"{where}: the labels {unknown} are none of class_names={names}: {hint}")
    for domain, labels in table.groupby("domain")["label"]:
        if labels.nunique() < 2:
            raise ValueError(
                f"{where}: domain {domain!r} has the one class {labels.iloc[0]!r}, so no metric is defined there: "
                "add images of another class, merge the domain with another, or leave it out"
            )
    _warn_of_patients(table, where)
    domain_names = tuple(dict.fromkeys(table["domain"]))
    return DomainDataset(
        _read(_files(folder, table["file"], where), size, background),
        torch.tensor([names.index(label) for label in table["label"]]),
        torch.tensor([domain_names.index(domain) for domain in table["domain"]]),
        table["group"].to_numpy(str),
        names,
        domain_names,
        DatasetInfo(folder.name, f"Images of {folder.name}", where, "yours to state", "yours to state"),
        file=table["file"].to_numpy(str),
        domains=_provenance(table),
    )


def _table(
    source: str | Path | pd.DataFrame,
    columns: Mapping[str, str],
    separator: str | None,
    encoding: str | None,
    ask: Ask,
) -> tuple[str, pd.DataFrame]:
    """What the table is called, and its columns as text in one spelling; the index is the row in the file."""
    if isinstance(source, pd.DataFrame):
        where, table = (
            "the table",
            source.astype(object).where(source.notna(), "").astype(str).set_axis(range(1, len(source) + 1)),
        )
        if table.empty:
            raise ValueError(f"{where} lists no image: add a row for each of them")
    else:
        where = str(source)
        if not Path(source).is_file():
            raise FileNotFoundError(f"{where} is not a file: give a CSV with the columns file, label and domain")
        table = read_table(source, separator=separator, encoding=encoding, ask=ask)
    if unknown := sorted(set(columns) - {*NEEDED, "group", *COLUMNS}):
        raise ValueError(f"columns={dict(columns)}: no column is called {unknown[0]!r} here: name file, label, domain")
    for called in columns.values():
        require(where, table, called, ask)
    table = table.assign(**{column: table[called] for column, called in columns.items()})
    for column in NEEDED:
        require(where, table, column, ask)
    if "group" not in table:
        table = table.assign(group="")
    for column in (*NEEDED, "group"):
        empty = table.index[table[column].str.strip() == ""]
        if len(empty) and column != "group":
            rows = ", ".join(map(str, empty[:5]))
            raise ValueError(
                f"{where}: no {column} in row(s) {rows} (the header not counted): fill them in or drop them"
            )
        if column != "file":
            table[column], told = one_spelling(table[column], f"{where}, column {column!r}")
            for notice in told:
                warnings.warn(notice, stacklevel=3)
    return where, table


def _files(folder: Path, names: pd.Series, where: str) -> list[Path]:
    """The path of each image, all of them there, below the folder and listed once."""
    paths = [_below(folder, name, where) for name in names]
    lost = [(row, name) for (row, name), path in zip(names.items(), paths, strict=True) if not os.path.lexists(path)]
    if lost:
        row, name = lost[0]
        more = f"{len(lost)} images" if len(lost) > 1 else "1 image"
        raise FileNotFoundError(
            f"{where}: {more} not in {folder}, the first in row {row}: {name!r}: {_near(folder, name, len(lost))}"
        )
    first: dict[Path, int] = {}
    for (row, name), path in zip(names.items(), paths, strict=True):
        if path in first:
            raise ValueError(f"{where} lists {name!r} twice, in rows {first[path]} and {row}: keep one row an image")
        first[path] = row
    return paths


def _below(folder: Path, name: str, where: str) -> Path:
    """The path of a name in the folder; backslashes of Windows divide folders where no file has them in its name."""
    plain = name if "\\" not in name or (folder / name).exists() else name.replace("\\", "/")
    path = PurePosixPath(plain)
    if path.is_absolute() or plain[1:3] == ":/" or ".." in path.parts:
        raise ValueError(
            f"{where}: {name!r} leads out of {folder}: write the path below that folder, such as {path.name!r}"
        )
    found = folder / path
    return found if found.exists() or not (folder / plain.strip()).exists() else folder / plain.strip()


def _near(folder: Path, name: str, lost: int) -> str:
    """What the file may be called instead: with an extension, in other capitals, in another folder."""
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    wanted = PurePosixPath(name.replace("\\", "/"))
    same = [file for file in there if file.casefold() == wanted.as_posix().casefold()]
    same += [file for file in there if PurePosixPath(file).with_suffix("").as_posix() == wanted.as_posix()]
    same += [file for file in there if PurePosixPath(file).stem == wanted.stem]
    same += [file for file in there if PurePosixPath(file).stem.casefold() == wanted.stem.casefold()]
    if not same:
        return did_you_mean(name, there) or f"the folder holds {there[:3] or 'no file'}: correct the column file"
    hint = f"did you mean {same[0]!r}?"
    if not wanted.suffix and lost > 1:
        ending = PurePosixPath(same[0]).suffix
        hint += f" The column lacks the extension: table['file'] += {ending!r}, and pass the table"
    return hint


def _provenance(table: pd.DataFrame) -> pd.DataFrame:
    """What the table says of each domain in columns called as those of `provenance`, where it says one thing."""
    rows = {}
    for name, images in table.groupby("domain", sort=False):
        said = {column: images[column].str.strip().unique() for column in COLUMNS if column in images}
        rows[name] = {column: values[0] for column, values in said.items() if len(values) == 1}
    return provenance(rows)


def _warn_of_patients(table: pd.DataFrame, where: str) -> None:
    known = table[table["group"] != ""]
    pairs = known.drop_duplicates(["group", "domain"])
    several = pairs[pairs["group"].duplicated(keep=False)]
    if len(several):
        name = several["group"].iloc[0]
        domains = " and ".join(map(repr, several.loc[several["group"] == name, "domain"].iloc[:3]))
        warnings.warn(
            f"{where}: {several['group'].nunique()} patient(s) have images in several domains (the first: {name!r}, in "
            f"{domains}), so leaving a domain out leaves them in training: merge the domains, drop them, or, where "
            "each domain numbers its own patients, put its name before the number",
            stacklevel=3,
        )
    for name, n in unknown_words(known["group"]):
        warnings.warn(
            f"{where}: {name!r} is the patient of {n} images: is it one? If nobody knows, leave the cell empty",
            stacklevel=3,
        )


def _sorted(labels: pd.Series) -> tuple[str, ...]:
    distinct = set(labels)
    return tuple(sorted(distinct, key=int if all(label.isdecimal() for label in distinct) else str))


def _read(paths: list[Path], size: int | None, background: str | None) -> torch.Tensor:
    """float32 (N, C, H, W) in [0, 1]."""
    pictures = []
    for path in paths:
        picture = read_picture(path, background)
        if size is None and pictures and picture.size != pictures[0].size:
            raise ValueError(
                f"{path} has {picture.size} px, {paths[0]} has {pictures[0].size}: "
                "give size=28 (for example) to resize all images to one square"
            )
        pictures.append(picture if size is None else picture.resize((size, size), Image.LANCZOS))
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    x = torch.from_numpy(np.stack([np.asarray(picture.convert(mode)) for picture in pictures]))
    x = x.unsqueeze(1) if mode == "L" else x.permute(0, 3, 1, 2).contiguous()
    return x.to(torch.float32) / 255
