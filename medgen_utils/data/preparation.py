"""From a publisher's archive to arrays. Chapter: generalization_gap.

BUS-BRA: every frame, whole, resized to a square (its sides are stretched, not padded) with Lanczos.
Mitosis (AMi-Br, AtNorM-Br, AtNorM-MD): patches of 128 px; size 28 shows the central 64 px, size 64 the whole patch.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from medgen_utils.data.prepared import DataCorrupt, read_members

SIZES = (28, 64)
SCANNERS = ("GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300", "U-Systems")
SLIDE_SOURCES = ("MIDOG21-HamamatsuXR", "MIDOG21-HamamatsuS360", "MIDOG21-AperioCS2", "TUPAC16", "TCGA-BRCA", "MIDOG++")


def prepare_busbra(archive: Path, sizes: Sequence[int] = SIZES) -> dict[int, dict[str, np.ndarray]]:
    """BUSBRA.zip -> arrays by size, in the order of its table; class 0 malignant, 1 benign (as BreastMNIST)."""
    members = dict(read_members(archive, lambda name: name.startswith(("BUSBRA/bus_data.csv", "BUSBRA/Images/"))))
    if "BUSBRA/bus_data.csv" not in members:
        raise DataCorrupt(f"{archive} has no BUSBRA/bus_data.csv: delete the file and load again")
    table = pd.read_csv(io.BytesIO(members["BUSBRA/bus_data.csv"]))
    files = [f"BUSBRA/Images/{name}.png" for name in table["ID"]]
    scanner = table["Device"].str.split(" @").str[0]
    known = {
        "labels": _numbers(table["Pathology"], ("malignant", "benign"), archive),
        "domains": _numbers(scanner, SCANNERS, archive),
        "class_names": np.array(["malignant", "benign"]),
        "domain_names": np.array(SCANNERS),
        "groups": table["Case"].astype(str).to_numpy(str),
        "files": np.array([f"bus/{file}" for file in files]),
    }
    frames = [_picture(members, file, "L", archive) for file in files]
    return {
        size: {"images": np.stack([np.asarray(frame.resize((size, size), Image.LANCZOS)) for frame in frames])} | known
        for size in sizes
    }


def prepare_mitosis(archive: Path, table: Path, sizes: Sequence[int] = SIZES) -> dict[int, dict[str, np.ndarray]]:
    """The benchmark's archive and AMI-BR.csv -> arrays by size; class 0 normal, 1 atypical.

    AMi-Br in the order of the table, then AtNorM-Br and AtNorM-MD, each Atypical before Normal, by sorted file name.
    """
    folders = ("AMi-Br", "AtNorM-Br", "AtNorM-MD")
    members = {
        "/".join(name.split("/")[1:]): content
        for name, content in read_members(archive, lambda name: name.endswith(".png") and "/." not in name)
        if name.split("/")[1] in folders
    }
    rows = pd.read_csv(table)
    files = _ami_br_files(rows)
    scanner = (rows["slide"].str.extract(r"(\d+)")[0].astype(int) - 1) // 50  # 50 slides a scanner, in this order
    domains = np.where(rows["dataset"] == "MIDOG21", scanner, SLIDE_SOURCES.index("TUPAC16")).tolist()
    groups = (rows["dataset"] + ":" + rows["slide"]).tolist()
    for folder, domain in (("AtNorM-Br", "TCGA-BRCA"), ("AtNorM-MD", "MIDOG++")):
        inside = [f for kind in ("Atypical", "Normal") for f in sorted(members) if f.startswith(f"{folder}/{kind}/")]
        files += inside
        domains += [SLIDE_SOURCES.index(domain)] * len(inside)
        groups += [""] * len(inside)
    known = {
        "labels": np.array([file.split("/")[1] == "Atypical" for file in files], np.uint8)[:, None],
        "domains": np.array(domains, np.uint8)[:, None],
        "class_names": np.array(["Normal", "Atypical"]),
        "domain_names": np.array(SLIDE_SOURCES),
        "groups": np.array(groups),
        "files": np.array([f"amibr/{file}" for file in files]),
    }
    images: dict[int, list[np.ndarray]] = {size: [] for size in sizes}
    for file in files:
        patch = _picture(members, file, "RGB", archive)
        for size in sizes:
            view = patch.crop((32, 32, 96, 96)) if size == 28 else patch
            images[size].append(np.asarray(view.resize((size, size), Image.LANCZOS)))
    return {size: {"images": np.stack(images[size])} | known for size in sizes}


def _picture(members: dict[str, bytes], file: str, mode: str, archive: Path) -> Image.Image:
    if file not in members:
        raise DataCorrupt(f"{archive} has no {file}: delete the file and load again")
    return Image.open(io.BytesIO(members[file])).convert(mode)


def _numbers(column: pd.Series, names: Sequence[str], archive: Path) -> np.ndarray:
    unknown = set(column) - set(names)
    if unknown:
        raise DataCorrupt(f"{archive}: {sorted(map(str, unknown))} is none of {names}; the archive has changed")
    return np.array([names.index(value) for value in column], np.uint8)[:, None]


def ami_br_votes(path: Path) -> pd.DataFrame:
    """The three experts of AMi-Br: 1.0 atypical, 0.0 normal, NaN not asked; index: ``files`` of the mitosis arrays."""
    table = pd.read_csv(path)
    votes = {f"expert_{k}": table[f"expert{k}_atypical"].astype(float).to_numpy() for k in (1, 2, 3)}
    return pd.DataFrame(votes, index=pd.Index([f"amibr/{file}" for file in _ami_br_files(table)], name="file"))


def atnorm_md_votes(path: Path) -> pd.DataFrame:
    """The five experts of AtNorM-MD, as `ami_br_votes`."""
    table = pd.read_csv(path)
    votes = {f"expert_{k}": table[f"Expert_{k}"].map({"Atypical": 1.0, "Normal": 0.0}).to_numpy() for k in range(1, 6)}
    files = [f"amibr/AtNorM-MD/{kind}/{name}" for kind, name in zip(table["Majority"], table["Filename"], strict=True)]
    return pd.DataFrame(votes, index=pd.Index(files, name="file"))


def _ami_br_files(table: pd.DataFrame) -> list[str]:
    kinds = np.where(table["majority_atypical"], "Atypical", "Normal")
    return [f"AMi-Br/{kind}/{d}_{uid}.png" for kind, d, uid in zip(kinds, table["dataset"], table["uid"], strict=True)]
