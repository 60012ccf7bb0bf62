"""Chest X-rays of children: normal or pneumonia (PneumoniaMNIST). Chapter: generalization_gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from medgen_utils.data import medmnist
from medgen_utils.data.near_duplicates import groups
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

INFO = DatasetInfo(
    "pneumonia",
    "Chest X-rays of children: PneumoniaMNIST",
    medmnist.SOURCE,
    "CC BY 4.0",
    f"{medmnist.CITATION}; Kermany et al. 2018, Cell 172:1122-1131, doi:10.1016/j.cell.2018.02.010",
    (
        "No patient ids: near-duplicates form groups, but two X-rays of one child may part.",
        "The publisher's test set has another class balance than its training set; here the three are pooled. "
        'from_medmnist("pneumoniamnist", domains="split") keeps them apart.',
    ),
)
DOMAINS = provenance(
    {"Guangzhou": {}},
    hospital="Guangzhou Women and Children's Medical Center",
    country="China",
    scanner=NOT_STATED,
    years=NOT_STATED,
    population="children of one to five years",
    tissue="chest",
    species="human",
    grader="two physicians, a third for the evaluation set",
    label_definition="1 pneumonia (bacterial or viral), 0 normal",
)
NEAR = 16  # bits of the hash: from 4 to 16 the same 56 pictures are near-duplicates, from 20 on more and more


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough."""
    return [(medmnist.file_name("pneumoniamnist", size),)]


def load(size: int = 28) -> DomainDataset:
    """One hospital, the publisher's three parts pooled; class 1 pneumonia. Sizes 28, 64, 128, 224.

    ``group`` is a cluster of near-duplicates, "" for an image that stands alone.
    """
    arrays = medmnist.arrays("pneumoniamnist", size)
    rule = dict.fromkeys(medmnist.PARTS, "Guangzhou")
    dataset = medmnist.pool([arrays], [rule], ("normal", "pneumonia"), INFO, DOMAINS)
    pictures = np.concatenate([arrays[f"{part}_images"] for part in medmnist.PARTS])
    return replace(dataset, group=groups(pictures, "near-duplicates", NEAR))
