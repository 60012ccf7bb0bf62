"""Eleven organs in three views of the same CT scans (OrganAMNIST, OrganCMNIST, OrganSMNIST). For exercises."""

from __future__ import annotations

from medgen_utils.data import medmnist
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

INFO = DatasetInfo(
    "organ-views",
    "Eleven organs in axial, coronal and sagittal views: OrganAMNIST, OrganCMNIST, OrganSMNIST",
    medmnist.SOURCE,
    "CC BY 4.0",
    f"{medmnist.CITATION}; Bilic et al. 2023, LiTS, Medical Image Analysis 84:102680, doi:10.1016/j.media.2022.102680",
    (
        "The three views cut the same CT scans: patients overlap across domains, so a view left out is a new "
        "view, not new patients. No patient ids are given.",
    ),
)
VIEWS = {"organamnist": "axial", "organcmnist": "coronal", "organsmnist": "sagittal"}
_ORGANS = "bladder femur-left femur-right heart kidney-left kidney-right liver lung-left lung-right pancreas spleen"
CLASS_NAMES = tuple(_ORGANS.split())
DOMAINS = provenance(
    {view: {} for view in VIEWS.values()},
    hospital="several centres (LiTS)",  # the same for the three views: they are no hospitals
    country="several",
    scanner=NOT_STATED,
    years=NOT_STATED,
    population="patients of the liver tumour benchmark LiTS",
    tissue="abdomen and chest",
    species="human",
    grader="boxes around organs, from another study than LiTS",
    label_definition="which organ the picture shows",
)


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough."""
    return [(medmnist.file_name(flag, size),) for flag in VIEWS]


def load(size: int = 28) -> DomainDataset:
    """Three views, each with the publisher's three parts pooled. Sizes 28, 64, 128, 224."""
    rules = [dict.fromkeys(medmnist.PARTS, view) for view in VIEWS.values()]
    return medmnist.pool(
        [medmnist.arrays(flag, size) for flag in VIEWS],
        rules,
        CLASS_NAMES,
        INFO,
        DOMAINS,
    )
