"""Breast ultrasound of four scanners: BreastMNIST and BUS-BRA. Chapter: generalization_gap.

BUS-BRA: every frame, whole, resized to a square (its sides are stretched, not padded) with Lanczos.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from medgen_utils.data import medmnist
from medgen_utils.data.prepared import (
    DataCorrupt,
    Prepared,
    Source,
    numbers,
    picture,
    prepared_arrays,
    read_members,
    to_tensor,
)
from medgen_utils.domains import DatasetInfo, DomainDataset

INFO = DatasetInfo(
    "breast-ultrasound",
    "Breast ultrasound of four scanners: BreastMNIST and BUS-BRA",
    f"{medmnist.SOURCE} (BreastMNIST), doi:10.5281/zenodo.8231412 (BUS-BRA)",
    "CC BY 4.0 (BreastMNIST); permissive, must cite Gomez-Flores et al. (BUS-BRA)",
    f"{medmnist.CITATION}; Al-Dhabyani et al. 2020, Dataset of breast ultrasound images, Data in Brief 28:104863, "
    "doi:10.1016/j.dib.2019.104863; Gomez-Flores et al. 2024, BUS-BRA, Medical Physics 51:3110-3123, "
    "doi:10.1002/mp.16812",
    (
        "Class 1 is normal and benign in BreastMNIST, benign only in BUS-BRA: a label shift by definition.",
        "BreastMNIST gives no patient ids: a split inside it may leak patients, and one pair of its images is "
        "identical with opposite labels.",
        "BUS-BRA frames carry burned-in text, which may tell the scanner or the hospital.",
        "The 25 images of BUS-BRA's U-Systems scanner are left out: too few for a test domain.",
    ),
)
CLASS_NAMES = ("malignant", "benign or normal")
CAIRO = "GE Logiq E9"  # the scanner of BreastMNIST's one hospital, in Cairo
SCANNERS = ("GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300", "U-Systems")
BUSBRA = Source(
    "BUSBRA.zip",
    "https://zenodo.org/records/8231412/files/BUSBRA.zip?download=1",
    "sha256:ba3e6ed19cc37c682d8d39e25435bbf8a555a12cb7e641b5f2117685c95580ff",
    133_917_740,
)
PREPARED = {
    28: Prepared((1875, 28, 28), "abfc286f88dbd62c0495eeeff0d0d82001be7b61ae3737b970b269ae9264e068"),
    64: Prepared((1875, 64, 64), "6c3ef3cb728f508eaaf8fb6014ca70e2850d5326fa15bf22d9840ff348deb740"),
}


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough, the prepared arrays or the publisher's archive."""
    return [(medmnist.file_name("breastmnist", size),), (f"busbra_{size}.npz", BUSBRA.file)]


def load(size: int = 28) -> DomainDataset:
    """BreastMNIST's one hospital (all its images) and three scanners of BUS-BRA; sizes 28 and 64."""
    scanners = prepared_arrays("busbra", size, PREPARED, BUSBRA, prepare)
    rule = dict.fromkeys(medmnist.PARTS, CAIRO)
    cairo = medmnist.pool([medmnist.arrays("breastmnist", size)], [rule], CLASS_NAMES, INFO)
    names = (CAIRO, *map(str, scanners["domain_names"]))
    dataset = DomainDataset(
        torch.cat([cairo.x, to_tensor(scanners["images"])]),
        torch.cat([cairo.y, torch.from_numpy(scanners["labels"].ravel().astype(np.int64))]),
        torch.cat([cairo.domain, torch.from_numpy(scanners["domains"].ravel().astype(np.int64) + 1)]),
        np.concatenate([cairo.group, scanners["groups"]]),
        CLASS_NAMES,
        names,
        INFO,
        file=np.concatenate([[f"breastmnist/{i}" for i in range(len(cairo))], scanners["files"]]),
    )
    return replace(dataset.without("U-Systems"), domain_names=names[: names.index("U-Systems")])


def prepare(archive: Path, sizes: Sequence[int] = tuple(PREPARED)) -> dict[int, dict[str, np.ndarray]]:
    """BUSBRA.zip -> arrays by size, in the order of its table; class 0 malignant, 1 benign (as BreastMNIST)."""
    members = dict(read_members(archive, lambda name: name.startswith(("BUSBRA/bus_data.csv", "BUSBRA/Images/"))))
    if "BUSBRA/bus_data.csv" not in members:
        raise DataCorrupt(f"{archive} has no BUSBRA/bus_data.csv: delete the file and load again")
    table = pd.read_csv(io.BytesIO(members["BUSBRA/bus_data.csv"]))
    files = [f"BUSBRA/Images/{name}.png" for name in table["ID"]]
    scanner = table["Device"].str.split(" @").str[0]
    known = {
        "labels": numbers(table["Pathology"], ("malignant", "benign"), archive),
        "domains": numbers(scanner, SCANNERS, archive),
        "class_names": np.array(["malignant", "benign"]),
        "domain_names": np.array(SCANNERS),
        "groups": table["Case"].astype(str).to_numpy(str),
        "files": np.array([f"bus/{file}" for file in files]),
    }
    frames = [picture(members, file, "L", archive) for file in files]
    return {
        size: {"images": np.stack([np.asarray(frame.resize((size, size), Image.LANCZOS)) for frame in frames])} | known
        for size in sizes
    }
