"""The reader's own images as a `DomainDataset`. Chapter: generalization_gap."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps

from medgen_utils.domains import DatasetInfo, DomainDataset

_GREY = ("1", "L", "LA")
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # more than 8 bits a channel: how to scale them is your choice


def from_folder(
    images: str | Path,
    labels_csv: str | Path,
    *,
    size: int | None = None,
    class_names: Sequence[str] | None = None,
) -> DomainDataset:
    """Your own images with a table of ``file,label,domain`` and, if you have it, ``group`` (patient or slide).

    ``file`` is the path of an image below the folder ``images``; the other columns are read as text. Grey images give
    x (N, 1, H, W), a single colour image among them x (N, 3, H, W). All images have one size, or ``size`` resizes them
    to size x size px (sides stretched, Lanczos). ``class_names`` gives the classes their order (class 1 is the positive
    class of a binary task); by default labels are sorted, as numbers where all are whole numbers.
    FileNotFoundError where the folder, the table or an image is missing; ValueError for a missing column or value, a
    file listed twice, a label that is no class, a domain with one class only (no metric is defined there), a file that
    is no 8-bit image, and images of different sizes. Chapter: generalization_gap.
    """
    folder, table_path = Path(images), Path(labels_csv)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder: give the folder that holds your images")
    table = _table(table_path)
    names = tuple(class_names) if class_names is not None else _sorted(table["label"])
    unknown = sorted(set(table["label"]) - set(names))
    if unknown:
        raise ValueError(f"{table_path}: the labels {unknown} are none of class_names={names}")
    for domain, labels in table.groupby("domain")["label"]:
        if labels.nunique() < 2:
            raise ValueError(
                f"{table_path}: domain {domain!r} has the one class {labels.iloc[0]!r}, so no metric is defined there: "
                "add images of another class, merge the domain with another, or leave it out"
            )
    missing = [file for file in table["file"] if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{len(missing)} images of {table_path} are not in {folder}, the first: {missing[:3]}")
    domain_names = tuple(dict.fromkeys(table["domain"]))
    return DomainDataset(
        _read(folder, list(table["file"]), size),
        torch.tensor([names.index(label) for label in table["label"]]),
        torch.tensor([domain_names.index(domain) for domain in table["domain"]]),
        table["group"].to_numpy(str),
        names,
        domain_names,
        DatasetInfo(folder.name, f"Images of {folder.name}", str(table_path), "yours to state", "yours to state"),
        file=table["file"].to_numpy(str),
    )


def _table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file: give a CSV with the columns file, label and domain")
    table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    lacking = [column for column in ("file", "label", "domain") if column not in table]
    if lacking:
        raise ValueError(f"{path} lacks the columns {lacking}; it has {list(table.columns)}: add or rename them")
    if table.empty:
        raise ValueError(f"{path} lists no image: add a row for each of them")
    for column in ("file", "label", "domain"):
        empty = np.flatnonzero(table[column].str.strip() == "")
        if len(empty):
            raise ValueError(f"{path}: no {column} in line(s) {(empty[:5] + 2).tolist()}: fill them in or drop them")
    twice = table["file"][table["file"].duplicated()]
    if len(twice):
        raise ValueError(f"{path} lists {twice.iloc[0]!r} twice: keep one row for each image")
    return table if "group" in table else table.assign(group="")


def _sorted(labels: pd.Series) -> tuple[str, ...]:
    distinct = set(labels)
    return tuple(sorted(distinct, key=int if all(label.isdecimal() for label in distinct) else str))


def _read(folder: Path, files: list[str], size: int | None) -> torch.Tensor:
    """float32 (N, C, H, W) in [0, 1]."""
    pictures = []
    for file in files:
        try:
            with Image.open(folder / file) as opened:
                picture = ImageOps.exif_transpose(opened)
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"{folder / file} cannot be read as an image ({error}): convert it or leave it out"
            ) from error
        if picture.mode in _DEEP:
            raise ValueError(f"{folder / file} has more than 8 bits a channel ({picture.mode}): convert it to 8 bits")
        if size is None and pictures and picture.size != pictures[0].size:
            raise ValueError(
                f"{folder / file} has {picture.size} px, {folder / files[0]} has {pictures[0].size}: "
                "give size=28 (for example) to resize all images to one square"
            )
        picture = picture.convert("L" if picture.mode in _GREY else "RGB")
        pictures.append(picture if size is None else picture.resize((size, size), Image.LANCZOS))
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    x = torch.from_numpy(np.stack([np.asarray(picture.convert(mode)) for picture in pictures]))
    x = x.unsqueeze(1) if mode == "L" else x.permute(0, 3, 1, 2).contiguous()
    return x.to(torch.float32) / 255
