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
from medgen_utils.data.near_duplicates import groups, without_conflicts
from medgen_utils.data.prepared import (
    Prepared,
    Source,
    check_size,
    member,
    numbers,
    picture,
    prepared_arrays,
    read_members,
    to_tensor,
)
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

INFO = DatasetInfo(
    "breast-ultrasound",
    "Breast ultrasound of four scanners: BreastMNIST and BUS-BRA",
    f"{medmnist.SOURCE} (BreastMNIST), doi:10.5281/zenodo.8231412 (BUS-BRA)",
    "CC BY 4.0 (BreastMNIST); permissive, must cite Gomez-Flores et al. (BUS-BRA)",
    f"{medmnist.CITATION}; Al-Dhabyani et al. 2020, Dataset of breast ultrasound images, Data in Brief 28:104863, "
    "doi:10.1016/j.dib.2019.104863; Gomez-Flores et al. 2024, BUS-BRA, Medical Physics 51:3110-3123, "
    "doi:10.1002/mp.16812",
    (
        "Class 1 is malignant: the publishers' order is turned round. Class 0 is normal and benign in BreastMNIST, "
        "benign only in BUS-BRA: a label shift by definition.",
        "Its three BUS-BRA scanners stand in one hospital: two sites, not four.",
        "BreastMNIST gives no patient ids: its near-duplicates form groups, but two views of one woman may part. One "
        "pair of its images is identical with opposite labels and is dropped.",
        "BUS-BRA frames carry burned-in text, which may tell the scanner or the hospital.",
        "The 25 images of BUS-BRA's U-Systems scanner are left out: too few for a test domain.",
    ),
)
SIZES = (28, 64)
CLASS_NAMES = ("benign or normal", "malignant")
CAIRO = "GE Logiq E9"  # the scanner of BreastMNIST's one hospital, in Cairo
SCANNERS = ("GE Logiq 7", "GE Logiq 5", "Toshiba Aplio 300", "U-Systems")
PROVENANCE = {
    "Cairo": {
        "hospital": "Baheya Hospital, Cairo",
        "country": "Egypt",
        "scanner": "GE LOGIQ E9, LOGIQ E9 Agile",
        "years": "2018",
        "population": "women of 25 to 75 years, 600 in all",
        "grader": NOT_STATED,
        "label_definition": "1 malignant, 0 benign or normal",
    },
    "Rio": {
        "hospital": "Instituto Nacional de Cancer, Rio de Janeiro",
        "country": "Brazil",
        "scanner": "GE Logiq 7, GE Logiq 5, Toshiba Aplio 300, U-Systems",
        "years": NOT_STATED,
        "population": "1,064 patients of a cancer institute",
        "grader": "biopsy",
        "label_definition": "1 malignant, 0 benign",
    },
}
DOMAINS = provenance(
    {CAIRO: PROVENANCE["Cairo"]} | {name: PROVENANCE["Rio"] | {"scanner": name} for name in SCANNERS[:3]},
    tissue="breast",
    species="human",
)
BUSBRA = Source(
    "BUSBRA.zip",
    "https://zenodo.org/records/8231412/files/BUSBRA.zip?download=1",
    "sha256:ba3e6ed19cc37c682d8d39e25435bbf8a555a12cb7e641b5f2117685c95580ff",
    133_917_740,
)
PREPARED = {
    "busbra_28.npz": Prepared((1875, 28, 28), "abfc286f88dbd62c0495eeeff0d0d82001be7b61ae3737b970b269ae9264e068"),
    "busbra_64.npz": Prepared((1875, 64, 64), "6c3ef3cb728f508eaaf8fb6014ca70e2850d5326fa15bf22d9840ff348deb740"),
}


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough, the prepared arrays or the publisher's archive."""
    return [(medmnist.file_name("breastmnist", size),), (f"busbra_{size}.npz", BUSBRA.file)]


def load(size: int = 28) -> DomainDataset:
    """BreastMNIST's one hospital and three scanners of BUS-BRA; class 1 malignant (turned round); sizes 28 and 64.

    ``group`` is the patient in BUS-BRA, in BreastMNIST a cluster of near-duplicates; ``info.dropped`` lists a pair of
    identical pictures with opposite labels.
    """
    check_size(size, SIZES)
    scanners = prepared_arrays(f"busbra_{size}.npz", PREPARED, BUSBRA, prepare)
    cairo = medmnist.arrays("breastmnist", size)
    pictures = np.concatenate([cairo[f"{part}_images"] for part in medmnist.PARTS])
    malignant = 1 - np.concatenate([cairo[f"{part}_labels"].ravel() for part in medmnist.PARTS]).astype(np.int64)
    keep = without_conflicts(pictures, malignant)
    file = np.array([f"breastmnist/{i}" for i in range(len(pictures))])
    dataset = DomainDataset(
        torch.cat([to_tensor(pictures[keep]), to_tensor(scanners["images"])]),
        torch.from_numpy(np.concatenate([malignant[keep], 1 - scanners["labels"].ravel().astype(np.int64)])),
        torch.from_numpy(np.concatenate([np.zeros(keep.sum(), np.int64), scanners["domains"].ravel() + 1])),
        np.concatenate([groups(pictures[keep], "near-duplicates"), scanners["groups"]]),
        CLASS_NAMES,
        (CAIRO, *map(str, scanners["domain_names"])),
        replace(INFO, dropped=tuple(f"{name}: identical to one of the other class" for name in file[~keep])),
        file=np.concatenate([file[keep], scanners["files"]]),
    )
    return replace(dataset.without("U-Systems"), domain_names=tuple(DOMAINS.index), domains=DOMAINS)


def prepare(archive: Path, sizes: Sequence[int] = SIZES) -> dict[str, dict[str, np.ndarray]]:
    """BUSBRA.zip -> arrays by file, in the order of its table; class 0 malignant, 1 benign (as BreastMNIST)."""
    members = dict(read_members(archive, lambda name: name.startswith(("BUSBRA/bus_data.csv", "BUSBRA/Images/"))))
    table = pd.read_csv(io.BytesIO(member(members, "BUSBRA/bus_data.csv", archive)))
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
        f"busbra_{size}.npz": {"images": np.stack([np.asarray(f.resize((size, size), Image.LANCZOS)) for f in frames])}
        | known
        for size in sizes
    }
