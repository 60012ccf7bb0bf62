"""Nine tissues of the colon from two centres (PathMNIST). For exercises."""

from __future__ import annotations

from medgen_utils.data import medmnist
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

INFO = DatasetInfo(
    "colon-centres",
    "Nine tissues of the colon from two centres: PathMNIST",
    medmnist.SOURCE,
    "CC BY 4.0",
    f"{medmnist.CITATION}; Kather et al. 2019, PLoS Medicine 16:e1002730, doi:10.1371/journal.pmed.1002730",
    (
        "No slide or patient ids: a split inside a centre may leak patients.",
        "MedMNIST calls the second part another clinical centre. Its publisher (doi:10.5281/zenodo.1214456) says: "
        "other patients, from the tissue bank of NCT Heidelberg, which gave a part of the first as well.",
    ),
)
FIRST, SECOND = "centre 1 (NCT-CRC-HE-100K)", "centre 2 (CRC-VAL-HE-7K)"
CLASS_NAMES = (
    "adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
    "cancer-associated stroma", "colorectal adenocarcinoma epithelium",
)  # fmt: skip
DOMAINS = provenance(
    {FIRST: {"hospital": "NCT Heidelberg and UMM Mannheim"}, SECOND: {"hospital": "NCT Heidelberg, other patients"}},
    country="Germany",
    scanner=NOT_STATED,
    years=NOT_STATED,
    population="patients with colorectal cancer",
    tissue="colon and rectum",
    species="human",
    grader=NOT_STATED,
    label_definition="which tissue the patch shows",
)


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough."""
    return [(medmnist.file_name("pathmnist", size),)]


def load(size: int = 28) -> DomainDataset:
    """Two centres: the publisher's training and validation parts, and its test part. Sizes 28, 64, 128, 224."""
    rule = {"train": FIRST, "val": FIRST, "test": SECOND}
    return medmnist.pool([medmnist.arrays("pathmnist", size)], [rule], CLASS_NAMES, INFO, DOMAINS)
