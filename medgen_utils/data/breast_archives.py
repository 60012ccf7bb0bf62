"""From four publishers' archives of breast ultrasound to pictures and outlines. Chapter: generalization_gap.

Whole frame: squeezed to a square. Lesion window: a square on the box around all outlines of a picture, its side 1.6
times the longer side of the box, moved inside the frame, cut where the frame is narrower. Both with Lanczos. The window
needs a radiologist's outline at test time too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from medgen_utils.data.near_duplicates import correlated, one_each
from medgen_utils.data.prepared import member, picture, read_members

MARGIN = 1.6
LABELS = ("benign", "malignant")


class Frame(NamedTuple):
    """One published picture: its name, image, outlines, label, and what the publisher says of it."""

    file: str
    image: Image.Image
    outlines: list[Image.Image]
    label: str
    group: str = ""
    scanner: str = ""
    flags: str = ""


def busi(archive: Path) -> Iterator[Frame]:
    """Dataset_BUSI.zip: benign, then malignant, by number; the normal ones are left out. No patients are given."""
    members = dict(read_members(archive, lambda name: name.endswith(".png") and "/normal/" not in name))
    names = {}
    for name in members:
        if found := re.search(r"(benign|malignant) \((\d+)\)\.png$", name):
            names[found[1], int(found[2])] = name
    for (label, number), name in sorted(names.items()):
        outlines = [other for other in sorted(members) if other.startswith(name.removesuffix(".png") + "_mask")]
        yield Frame(
            f"busi/{label}/{label} ({number}).png",
            picture(members, name, "L", archive),
            [picture(members, outline, "L", archive) for outline in outlines],
            label,
            scanner="GE LOGIQ E9 / LOGIQ E9 Agile",
        )


def busbra(archive: Path) -> Iterator[Frame]:
    """BUSBRA.zip in the order of its table."""
    members = dict(read_members(archive, lambda name: name.endswith((".png", "bus_data.csv"))))
    table = pd.read_csv(io.BytesIO(member(members, "BUSBRA/bus_data.csv", archive)))
    for row in table.itertuples():
        yield Frame(
            f"busbra/{row.ID}.png",
            picture(members, f"BUSBRA/Images/{row.ID}.png", "L", archive),
            [picture(members, f"BUSBRA/Masks/{row.ID.replace('bus', 'mask', 1)}.png", "L", archive)],
            row.Pathology,
            f"busbra-{row.Case}",
            row.Device,
        )


def uclm(archive: Path) -> Iterator[Frame]:
    """BUS-UCLM in the order of INFO.csv, without its normal frames; patient: the first letters of the name."""
    members = dict(read_members(archive, lambda name: name.endswith((".png", "INFO.csv"))))
    info = next((name for name in members if name.endswith("INFO.csv")), "INFO.csv")
    folder = info.removesuffix("INFO.csv")
    table = pd.read_csv(io.BytesIO(member(members, info, archive)), sep=";", encoding="utf-8-sig")
    for row in table[table["Label"].str.lower().isin(LABELS)].itertuples():
        told = [word for word in ("doppler", "marks", "combined") if getattr(row, word.title()) == "Yes"]
        yield Frame(
            f"uclm/{row.Image}",
            picture(members, f"{folder}images/{row.Image}", "L", archive),
            [picture(members, f"{folder}masks/{row.Image}", "L", archive)],
            row.Label.lower(),
            f"uclm-{row.Image.partition('_')[0]}",
            "Siemens ACUSON S2000",
            ";".join(told),
        )


def breast(archive: Path, sheet: Path) -> Iterator[Frame]:
    """BrEaST in the order of its clinical sheet, without the normal ones; one picture a patient."""
    members = {name.rpartition("/")[2]: png for name, png in read_members(archive, lambda name: name.endswith(".png"))}
    table = pd.read_excel(sheet)
    for row in table[table["Classification"].isin(LABELS)].itertuples():
        files = [file.strip() for file in str(row.Mask_tumor_filename).split("&")]
        yield Frame(
            f"breast/{row.Image_filename}",
            picture(members, row.Image_filename, "L", archive),
            [picture(members, file, "L", archive) for file in files],
            row.Classification,
            f"breast-{row.CaseID}",
            "not stated per image",
            row.Verification.removeprefix("confirmed by ").removesuffix(" care"),
        )


def arrays(frames: Iterator[Frame], sizes: Sequence[int] = (64, 128)) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    """Frames -> the arrays of each (view, size), with what is known of each image; see `prepared.prepared_arrays`."""
    images = {(view, size): [] for view in ("frame", "lesion") for size in {*sizes, 64}}
    rows = []
    for frame in frames:
        outline = _union(frame)
        box = window(outline)
        for (view, size), into in images.items():
            seen = frame.image.crop(box) if view == "lesion" and box else frame.image
            into.append(np.asarray(seen.resize((size, size), Image.LANCZOS)))
        rows.append([*frame[:1], *frame[3:], bool(box), np.float32(outline.mean())])
    names = ("files", "label", "groups", "scanner", "flags", "roi_ok", "lesion_fraction")
    known = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    known["labels"] = (known.pop("label") == LABELS[1]).astype(np.int64)
    known["near_dup"] = correlated(np.stack(images["frame", 64]))
    known["keep"] = one_each(known["near_dup"], known["labels"])
    known |= {"domains": np.zeros(len(rows), np.int64), "domain_names": np.array([""]), "class_names": np.array(LABELS)}
    return {key: {"images": np.stack(images[key])} | known for key in images if key[1] in sizes}


def window(outline: np.ndarray) -> tuple[int, int, int, int] | None:
    """(H, W) bool -> left, top, right, bottom of the lesion window; None where nothing is outlined."""
    rows, columns = outline.any(1).nonzero()[0], outline.any(0).nonzero()[0]
    if not len(rows):
        return None
    ends = [(line[0], line[-1] + 1, length) for line, length in zip((columns, rows), outline.shape[::-1], strict=True)]
    side = round(MARGIN * max(high - low for low, high, _ in ends))
    starts = [max(0, min(int((low + high) / 2 - side / 2), length - side)) for low, high, length in ends]
    stops = [min(start + side, length) for start, (*_, length) in zip(starts, ends, strict=True)]
    return int(starts[0]), int(starts[1]), int(stops[0]), int(stops[1])


def _union(frame: Frame) -> np.ndarray:
    """(H, W) bool: what any outline covers; one whose proportions differ from the picture's is left out."""
    union = np.zeros(frame.image.size[::-1], bool)
    width, height = frame.image.size
    for outline in frame.outlines:
        if abs(outline.width * height - outline.height * width) > 0.01 * outline.height * width:
            continue
        same = outline if outline.size == frame.image.size else outline.resize(frame.image.size, Image.NEAREST)
        union |= np.asarray(same) > 0
    return union
