"""Breast ultrasound of four sites in four countries: malignant against benign. Chapter: generalization_gap.

BUSI (Cairo), BUS-BRA (Rio de Janeiro), BUS-UCLM (Ciudad Real), BrEaST (Poland). `breast_archives` says how the pictures
are prepared; the addresses of BUSI, BUS-UCLM and BrEaST are those that public loaders use.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image

from medgen_utils.data import breast_archives
from medgen_utils.data.prepared import (
    Prepared,
    Source,
    check_size,
    load_npz,
    obtain,
    prepared_arrays,
    search,
    to_tensor,
    verify,
)
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

SIZES = (28, 64, 128)
CLASS_NAMES = ("benign", "malignant")
CIUDAD_REAL = "Ciudad Real"
INFO = DatasetInfo(
    "breast-hospitals",
    "Breast ultrasound of four sites: BUSI, BUS-BRA, BUS-UCLM, BrEaST",
    "https://scholar.cu.edu.eg/Dataset_BUSI.zip (BUSI), doi:10.5281/zenodo.8231412 (BUS-BRA), "
    "doi:10.17632/7fvgj4jsp7 (BUS-UCLM), doi:10.7937/9WKK-Q141 (BrEaST)",
    "CC BY 4.0 by its article (BUSI); permissive, must cite Gomez-Flores et al. (BUS-BRA); CC BY-NC 4.0 (BUS-UCLM); "
    "CC BY 4.0 (BrEaST)",
    "Al-Dhabyani et al. 2020, Data in Brief 28:104863, doi:10.1016/j.dib.2019.104863; Gomez-Flores et al. 2024, "
    "Medical Physics 51:3110-3123, doi:10.1002/mp.16812; Vallez et al. 2025, Scientific Data, "
    "doi:10.1038/s41597-025-04562-3; Pawlowska et al. 2024, Scientific Data, doi:10.1038/s41597-024-02984-z",
    (
        "Class 1 is malignant. Normal pictures, without a lesion, are left out.",
        "The lesion window needs a radiologist's outline at test time too.",
        "The area of the lesion alone tells malignant from benign (AUROC .78, .72, .64 and .69): a shortcut with a "
        "clinical reason.",
        "Cairo gives no patient ids: near-duplicates form groups, but two views of one woman may part. Calipers, words "
        'and "GE" are burned in.',
        "Ciudad Real's pictures are frames of 36 scans, some with a Doppler box, more often where malignant.",
        "Poland pools several centres; 55 of its 154 benign lesions rest on follow-up, not on biopsy.",
    ),
)


class Site(NamedTuple):
    """One publisher's set: its archive, what turns that into frames, and what makes the prepared arrays the right ones.

    ``sha256`` holds the hash of the images by (view, size); the whole frame at 128 px has none and rests on the others.
    """

    key: str
    source: Source
    frames: Callable[[Path], Iterator[breast_archives.Frame]]
    n: int
    sha256: dict[tuple[str, int], str]


BREAST_SHEET = Source(
    "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx",
    "https://www.cancerimagingarchive.net/wp-content/uploads/BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx",
)
SITES = {
    "Cairo": Site(
        "busi",
        Source(
            "Dataset_BUSI.zip",
            "https://scholar.cu.edu.eg/Dataset_BUSI.zip",
            "sha256:b2ce09f6063a31a73f628b6a6ee1245187cbaec225e93e563735691d68654de7",
        ),
        breast_archives.busi,
        647,
        {
            ("frame", 64): "e8d11222bf4792b39ae1381c4c55bf4852e92615601ec4149a1c0b1031134f03",
            ("lesion", 64): "a5c5d0868c3e4fb7b5b22d10e2c5272fc72b098563f8578aa02c9420633c566b",
            ("lesion", 128): "e171833f418467e8a4d07e5d6991c83b451ad932aaaeff02f25e5870f2c039e9",
        },
    ),
    "Rio de Janeiro": Site(
        "busbra",
        Source(
            "BUSBRA.zip",
            "https://zenodo.org/records/8231412/files/BUSBRA.zip?download=1",
            "sha256:ba3e6ed19cc37c682d8d39e25435bbf8a555a12cb7e641b5f2117685c95580ff",
            133_917_740,
        ),
        breast_archives.busbra,
        1875,
        {
            ("frame", 64): "6c3ef3cb728f508eaaf8fb6014ca70e2850d5326fa15bf22d9840ff348deb740",
            ("lesion", 64): "cb4684d9c4f5af0d4b6a8715bda633780c3b09a5db0f82a50dba08961aa96229",
            ("lesion", 128): "5eedc11cc51275578761ea6c2fb6bfb840c2a3047ae875d7c25134cfc38a84b0",
        },
    ),
    CIUDAD_REAL: Site(
        "uclm",
        Source(
            "7fvgj4jsp7-1.zip", "https://prod-dcd-datasets-cache-zipfiles.s3.eu-west-1.amazonaws.com/7fvgj4jsp7-1.zip"
        ),
        breast_archives.uclm,
        264,
        {
            ("frame", 64): "c1904d47f398a989e53eb3e9cb6bf673a72570de8c9b16c10e4aec42685193b0",
            ("lesion", 64): "f3662475bdf91b3c00a829bf45ed993f1ecd4c618008a68a1bf521b95d46fa35",
            ("lesion", 128): "56aa51d922522abef37e3ed63da2af7be6966ea2d14bae93d7c1a5966df12bb6",
        },
    ),
    "Poland": Site(
        "breast",
        Source(
            "BrEaST-Lesions_USG-images_and_masks-Dec-15-2023.zip",
            "https://www.cancerimagingarchive.net/wp-content/uploads/"
            "BrEaST-Lesions_USG-images_and_masks-Dec-15-2023.zip",
        ),
        lambda archive: breast_archives.breast(archive, obtain(BREAST_SHEET)),
        252,
        {
            ("frame", 64): "d0c475be8a925622cf1adbc010f681beabaf017438ec1106f48653e78f73cd7c",
            ("lesion", 64): "2189952a82f15917cc931f279c87371ad24fbf32f14e30eb0285521040dea013",
            ("lesion", 128): "27b1643f1b251ccb59ac1e62ed28d34963c4472906715a88fb6ef45bbf80c1dc",
        },
    ),
}
# All four sites in one file, as some machines have them: name and hash by (view, size)
TOGETHER = {
    ("frame", 64): ("breast_hospitals_64.npz", "bc3e10b3c7d8a0e825661b557e8c87e132b71663b86742ec81f5fcae75060783"),
    ("lesion", 64): ("breast_hospitals_64_roi.npz", "8f922bf11e234d536e67fd5b4c553c261ba3e3f1840eb613989d4dbd644b016c"),
    ("lesion", 128): (
        "breast_hospitals_128_roi.npz",
        "698a031658ded7ec6e579d795fb2c13495aa45021ae251ada6b7917b2a077618",
    ),
}
_LESIONS = {"label_definition": "1 malignant, 0 benign lesion; no normal pictures"}
PROVENANCE = {
    "Cairo": _LESIONS
    | {
        "hospital": "Baheya Hospital, Cairo",
        "country": "Egypt",
        "scanner": "GE LOGIQ E9, LOGIQ E9 Agile",
        "years": "2018",
        "population": "women of 25 to 75 years, 600 in all",
        "grader": NOT_STATED,
    },
    "Rio de Janeiro": _LESIONS
    | {
        "hospital": "Instituto Nacional de Cancer, Rio de Janeiro",
        "country": "Brazil",
        "scanner": "GE Logiq 7, GE Logiq 5, Toshiba Aplio 300, U-Systems",
        "years": NOT_STATED,
        "population": "1,064 patients of a cancer institute",
        "grader": "biopsy",
    },
    CIUDAD_REAL: _LESIONS
    | {
        "hospital": "Hospital General Universitario, Ciudad Real",
        "country": "Spain",
        "scanner": "Siemens ACUSON S2000",
        "years": "2022-2023",
        "population": "36 patients with a lesion",
        "grader": "expert radiologists",
    },
    "Poland": _LESIONS
    | {
        "hospital": "several medical centres, Poland",
        "country": "Poland",
        "scanner": "several, not stated per image",
        "years": NOT_STATED,
        "population": "252 patients, one image each",
        "grader": "biopsy; 55 benign by follow-up",
    },
}
DOMAINS = provenance(PROVENANCE, tissue="breast", species="human")


def files(
    size: int,
    view: str = "lesion",
    domains: str = "site",
    duplicates: bool = False,
    accept_noncommercial: bool | None = None,
) -> list[tuple[str, ...]]:
    """What `load` needs, whatever ``domains`` and ``duplicates``.

    Of each tuple one file is enough: all sites together, one site's arrays, or its archive.
    """
    known = (view, 64 if size == 28 else size)
    together = TOGETHER[known][:1] if known in TOGETHER else ()
    accept_noncommercial = accepted(known) if accept_noncommercial is None else accept_noncommercial
    sites = [site for name, site in SITES.items() if accept_noncommercial or name != CIUDAD_REAL]
    return [(*together, _file(site, *known), site.source.file) for site in sites]


def load(
    size: int = 28,
    view: Literal["lesion", "frame"] = "lesion",
    domains: Literal["site", "scanner"] = "site",
    duplicates: bool = False,
    accept_noncommercial: bool | None = None,
) -> DomainDataset:
    """Cairo, Rio de Janeiro, Ciudad Real and Poland; class 1 malignant; sizes 28, 64 and 128.

    ``view``: a window around the lesion, or the whole frame. 28 px are made from the prepared 64 px with Lanczos, so
    that every source of the arrays gives the same bytes. ``domains="scanner"`` parts Rio by its four scanners.
    ``duplicates=True`` keeps all 3,038 images; else one of each cluster of near-duplicates and none of a cluster with
    both labels: 2,872 (``info.dropped`` lists the others). ``group`` is the patient; where unknown, the cluster.
    ``covariates``: lesion_fraction (of the frame), scanner, flags, window (whether there is an outline).
    Ciudad Real is CC BY-NC 4.0: True says that your use is not commercial, False leaves it out, None takes it where
    MEDGEN_NONCOMMERCIAL=accept is set or its arrays are here already, and else leaves it out with a warning.
    ValueError for another option; DataUnavailable, DataCorrupt as `medgen_utils.data.load`.
    """
    check_size(size, SIZES)
    for key, value, choices in (("view", view, ("lesion", "frame")), ("domains", domains, ("site", "scanner"))):
        if value not in choices:
            raise ValueError(f"{key}={value!r}: choose from {', '.join(choices)}")
    known = (view, 64 if size == 28 else size)
    if accept_noncommercial is None and not (accept_noncommercial := accepted(known)):
        warnings.warn(
            f"{CIUDAD_REAL} (CC BY-NC 4.0) is left out: for a use that is not commercial say "
            "accept_noncommercial=True or set MEDGEN_NONCOMMERCIAL=accept",
            stacklevel=3,
        )
    names = [name for name in SITES if accept_noncommercial or name != CIUDAD_REAL]
    together = _together(*known)
    parts = [together[name] if together else _site(SITES[name], *known) for name in names]
    return _dataset(names, parts, size, domains, duplicates)


def accepted(known: tuple[str, int]) -> bool:
    """Whether somebody accepted Ciudad Real's licence on this machine: by the environment, or its arrays are here."""
    here = [_file(SITES[CIUDAD_REAL], *known), *TOGETHER.get(known, ())[:1]]
    return os.environ.get("MEDGEN_NONCOMMERCIAL") == "accept" or any(search(file) for file in here)


def lesion_area_auroc(dataset: DomainDataset) -> pd.Series:
    """What the area of the lesion alone scores in each domain: AUROC of the share of the frame it covers.

    Images without an outline are left out. The control for every score of the lesion window: a network that only
    measures the lesion reaches this.
    """
    from sklearn.metrics import roc_auc_score  # takes its time, and only this needs it

    outlined = dataset.subset(dataset.covariates["window"].to_numpy(copy=True))
    parts = {name: outlined.only(name) for name in outlined.domain_names}
    return pd.Series({name: roc_auc_score(part.y, part.covariates["lesion_fraction"]) for name, part in parts.items()})


def _file(site: Site, view: str, size: int) -> str:
    return f"breast_hospitals_{site.key}_{size}{'_roi' if view == 'lesion' else ''}.npz"


def _together(view: str, size: int) -> dict[str, dict[str, np.ndarray]] | None:
    """The arrays of each site from the file that holds all of them; None where it is not here."""
    file, sha256 = TOGETHER.get((view, size), ("", ""))
    path = search(file) if file else None
    if path is None:
        return None
    arrays = load_npz(path)
    verify(arrays, Prepared((sum(site.n for site in SITES.values()), size, size), sha256), path)
    domains = arrays["domains"].ravel()
    rows = {key: value for key, value in arrays.items() if len(value) == len(domains)}
    return {name: {key: value[domains == k] for key, value in rows.items()} for k, name in enumerate(SITES)}


def _site(site: Site, view: str, size: int) -> dict[str, np.ndarray]:
    """The arrays of one site: found, or prepared from its publisher's archive."""
    keys = [(view, size) for view in ("frame", "lesion") for size in (64, 128)]
    expected = {_file(site, *key): Prepared((site.n, key[1], key[1]), site.sha256.get(key, "")) for key in keys}

    def prepare(archive: Path) -> dict[str, dict[str, np.ndarray]]:
        return {_file(site, *key): arrays for key, arrays in breast_archives.arrays(site.frames(archive)).items()}

    return prepared_arrays(_file(site, view, size), expected, site.source, prepare)


def _dataset(
    names: list[str], parts: list[dict[str, np.ndarray]], size: int, domains: str, duplicates: bool
) -> DomainDataset:
    x, y, domain, group, covariates, dropped, rows = [], [], [], [], [], [], {}
    for name, part in zip(names, parts, strict=True):
        cluster = part["near_dup"].ravel() - part["near_dup"].min()  # named by its first member, in this site
        keep = np.ones(len(cluster), bool) if duplicates else part["keep"].astype(bool)
        kept_clusters = set(cluster[part["keep"].astype(bool)].tolist())
        reason = ["near-duplicate" if k in kept_clusters else "near-duplicates with both labels" for k in cluster]
        dropped += [f"{part['files'][i]}: {reason[i]}" for i in np.flatnonzero(~keep)]
        size_of = np.bincount(cluster[keep], minlength=cluster.max() + 1)[cluster]
        alone = np.where(size_of == 1, "", np.char.add(f"near-duplicates {name} ", cluster.astype(str)))
        scanner = np.array([device.split(" @")[0] for device in part["scanner"].tolist()])
        split = domains == "scanner" and name == "Rio de Janeiro"
        own = [f"{name}: {device}" for device in scanner] if split else [name] * len(scanner)
        for key in sorted(set(own), key=lambda key: -own.count(key)):
            rows[key] = PROVENANCE[name] | ({"scanner": key.partition(": ")[2]} if split else {})
        x.append(_resized(part["images"][keep], size))
        y.append(part["labels"].ravel()[keep])
        domain += [list(rows).index(key) for key, kept in zip(own, keep, strict=True) if kept]
        group.append(np.where(part["groups"] == "", alone, part["groups"])[keep])
        told = {
            "file": part["files"],
            "lesion_fraction": part["lesion_fraction"],
            "scanner": scanner,
            "flags": part["flags"],
            "window": part["roi_ok"].astype(bool),
        }
        covariates.append(pd.DataFrame(told)[keep])
    table = pd.concat(covariates, ignore_index=True)
    file = table.pop("file").to_numpy(str)
    return DomainDataset(
        to_tensor(np.concatenate(x)),
        torch.from_numpy(np.concatenate(y).astype(np.int64)),
        torch.tensor(domain, dtype=torch.int64),
        np.concatenate(group),
        CLASS_NAMES,
        tuple(rows),
        replace(INFO, dropped=tuple(dropped)),
        file=file,
        domains=provenance(rows, tissue="breast", species="human"),
        covariates=table,
    )


def _resized(images: np.ndarray, size: int) -> np.ndarray:
    if images.shape[1] == size:
        return images
    return np.stack([np.asarray(Image.fromarray(image).resize((size, size), Image.LANCZOS)) for image in images])
