"""Normal and atypical mitotic figures of six scanners and centres, and their graders. Chapter: concept_shift.

AMi-Br, AtNorM-Br, AtNorM-MD: patches of 128 px. Size 64 is the central 64 px as they are, size 28 the same resized with
Lanczos, size 128 the whole patch, prepared from the archive only: the cell with its neighbourhood.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from medgen_utils.data.prepared import (
    DataUnavailable,
    Prepared,
    Source,
    cache_folder,
    check,
    check_size,
    obtain,
    picture,
    prepared_arrays,
    read_members,
    search,
    to_tensor,
    where_to_put,
)
from medgen_utils.domains import DatasetInfo, DomainDataset
from medgen_utils.provenance import NOT_STATED, provenance

INFO = DatasetInfo(
    "mitosis",
    "Normal and atypical mitotic figures of six scanners and centres: AMi-Br, AtNorM-Br, AtNorM-MD",
    "https://github.com/DeepMicroscopy/AMi-Br_Benchmark, https://github.com/DeepMicroscopy/AMi-Br",
    "MIT",
    "Bertram et al. 2025, Histologic dataset of normal and atypical mitotic figures on human breast cancer "
    "(AMi-Br), Bildverarbeitung fuer die Medizin; Banerjee et al. 2026, Benchmarking deep learning and vision "
    "foundation models for atypical vs. normal mitosis classification, MELBA 2026:006, arXiv:2506.21444; the slides: "
    "Aubreville et al. 2023, Medical Image Analysis 84:102699, doi:10.1016/j.media.2022.102699 (MIDOG21); Bertram "
    "et al. 2020, doi:10.1007/978-3-030-61166-8_22 (TUPAC16, relabelled); Aubreville et al. 2023, Scientific Data "
    "10:484, doi:10.1038/s41597-023-02327-4 (MIDOG++)",
    (
        "Of AtNorM-Br's 27 groups of pixel-identical patches one patch a group is kept, and none of the 2 "
        "groups whose labels conflict: 37 patches are dropped.",
        "TCGA-BRCA and MIDOG++ come without slide ids: a split inside them may leak slides.",
        "MIDOG++ extends MIDOG21, and a part of it comes from UMC Utrecht too: the two may share slides (no patch is "
        "identical).",
        "The three MIDOG21 scanners stand in one hospital; MIDOG++ holds seven tumour types of man and dog: a shift of "
        "tumour and species, not of hospital.",
    ),
)
CLASS_NAMES = ("normal", "atypical")
SLIDE_SOURCES = ("MIDOG21-HamamatsuXR", "MIDOG21-HamamatsuS360", "MIDOG21-AperioCS2", "TUPAC16", "TCGA-BRCA", "MIDOG++")
AMIBR_COMMIT = "3acf4dad662ed71b63f283858892b54c84a49696"
AMIBR = Source(
    f"AMi-Br_Benchmark-{AMIBR_COMMIT}.tar.gz",
    f"https://github.com/DeepMicroscopy/AMi-Br_Benchmark/archive/{AMIBR_COMMIT}.tar.gz",
)
AMIBR_TABLE = Source(
    "AMI-BR.csv",
    "https://raw.githubusercontent.com/DeepMicroscopy/AMi-Br/20a217b33a8708279600e30129bc55a504ee6620/AMI-BR.csv",
    "sha256:49eb286b4b45f524f34ee2655c4d2e8f1e0c94618424a59b30ff7412fea77690",
)
ATNORM_MD_VOTES = Source(
    "AtNorM-MD_expert_votes.csv",
    "https://github.com/DeepMicroscopy/AMi-Br_Benchmark",
    "sha256:363db789f5d1814be676d701d89646631703dc963b7f28b8f2c4db76eb543193",
)
# Hospital and scanner of MIDOG's slides: datasets_xvalidation.csv of github.com/DeepMicroscopy/MIDOGpp
_UTRECHT = {"hospital": "UMC Utrecht", "country": "Netherlands", "years": NOT_STATED, "population": "breast cancer"}
_BREAST = {"tissue": "breast", "species": "human", "grader": "three experts, majority"}
PROVENANCE = {
    "MIDOG21-HamamatsuXR": _UTRECHT | _BREAST | {"scanner": "Hamamatsu XR"},
    "MIDOG21-HamamatsuS360": _UTRECHT | _BREAST | {"scanner": "Hamamatsu S360"},
    "MIDOG21-AperioCS2": _UTRECHT | _BREAST | {"scanner": "Aperio CS2"},
    "TUPAC16": _BREAST
    | {
        "hospital": "several centres (TUPAC16)",
        "country": NOT_STATED,
        "scanner": NOT_STATED,
        "years": NOT_STATED,
        "population": "breast cancer",
    },
    "TCGA-BRCA": _BREAST
    | {
        "grader": NOT_STATED,
        "hospital": "many centres (TCGA)",
        "country": NOT_STATED,
        "scanner": NOT_STATED,
        "years": NOT_STATED,
        "population": "breast cancer",
    },
    "MIDOG++": {
        "hospital": "several laboratories (MIDOG++)",
        "country": "several",
        "scanner": "several",
        "years": NOT_STATED,
        "population": "seven tumour types",
        "tissue": "seven tumour types",
        "species": "human and dog",
        "grader": "five experts, majority",
    },
}
DOMAINS = provenance(PROVENANCE, label_definition="1 atypical mitotic figure, 0 normal mitotic figure")
SIZES = (28, 64, 128)
PREPARED = {
    "mitosis_28.npz": Prepared((6573, 28, 28, 3), "cf898f3475949d2b9b2fc309d5a27ff1646ddb81911be6cbf7fdaf2e4a727162"),
    "mitosis_64_native.npz": Prepared(
        (6573, 64, 64, 3), "a5d51b8da48ed08611c2b7979133ca3d6239baf15ac0ea9391d9d77c89626cce"
    ),
    "mitosis_128.npz": Prepared((6573, 128, 128, 3), ""),  # no hash is published: it rests on the other two
}


def files(size: int) -> list[tuple[str, ...]]:
    """What `load` needs; of each tuple one file is enough, the prepared arrays or the publisher's archive."""
    return [(_file(size), AMIBR.file)]


def load(size: int = 28) -> DomainDataset:
    """Six scanners and centres, without AtNorM-Br's duplicates; class 1 atypical. Sizes 28, 64 and 128.

    ``info.dropped`` lists the duplicates.
    """
    check_size(size, SIZES)
    arrays = prepared_arrays(_file(size), PREPARED, AMIBR, _prepare_and_keep_votes)
    keep = without_duplicates(arrays["images"], arrays["labels"].ravel())
    left_out = np.delete(arrays["files"], keep)
    return DomainDataset(
        to_tensor(arrays["images"][keep]),
        torch.from_numpy(arrays["labels"].ravel()[keep].astype(np.int64)),
        torch.from_numpy(arrays["domains"].ravel()[keep].astype(np.int64)),
        arrays["groups"][keep],
        CLASS_NAMES,
        tuple(map(str, arrays["domain_names"])),
        replace(INFO, dropped=tuple(f"{file}: pixel-identical to another patch" for file in left_out)),
        file=arrays["files"][keep],
        domains=DOMAINS,
    )


def _file(size: int) -> str:
    return "mitosis_64_native.npz" if size == 64 else f"mitosis_{size}.npz"


def without_duplicates(images: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions to keep: of pixel-identical images the first, and none where their labels conflict."""
    same: dict[bytes, list[int]] = {}
    for i, image in enumerate(images):
        same.setdefault(image.tobytes(), []).append(i)
    return np.array([positions[0] for positions in same.values() if len(set(y[positions])) == 1], dtype=np.int64)


def prepare(archive: Path, table: Path, sizes: Sequence[int] = SIZES) -> dict[str, dict[str, np.ndarray]]:
    """The benchmark's archive and AMI-BR.csv -> arrays by file; class 0 normal, 1 atypical.

    AMi-Br in the order of the table, then AtNorM-Br and AtNorM-MD, each Atypical before Normal, by sorted file name.
    """
    folders = ("AMi-Br/", "AtNorM-Br/", "AtNorM-MD/")
    members = {
        name.partition("/")[2]: content
        for name, content in read_members(archive, lambda name: name.endswith(".png") and "/." not in name)
        if name.partition("/")[2].startswith(folders)
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
        patch = picture(members, file, "RGB", archive)
        for size in sizes:
            view = patch if size == 128 else patch.crop((32, 32, 96, 96))
            images[size].append(np.asarray(view.resize((size, size), Image.LANCZOS)))
    return {_file(size): {"images": np.stack(images[size])} | known for size in sizes}


def _prepare_and_keep_votes(archive: Path) -> dict[str, dict[str, np.ndarray]]:
    by_file = prepare(archive, obtain(AMIBR_TABLE))
    for _, content in read_members(archive, lambda member: member.endswith("/" + ATNORM_MD_VOTES.file)):
        (cache_folder() / ATNORM_MD_VOTES.file).write_bytes(content)
    return by_file


def votes(name: str) -> pd.DataFrame:
    """What the experts of "ami-br" or "atnorm-md" said: see `load_graders`; index: ``files`` of the mitosis arrays."""
    if name == "ami-br":
        table = pd.read_csv(obtain(AMIBR_TABLE))
        said = {f"expert_{k}": table[f"expert{k}_atypical"].astype(float).to_numpy() for k in (1, 2, 3)}
        return pd.DataFrame(said, index=pd.Index([f"amibr/{file}" for file in _ami_br_files(table)], name="file"))
    if name != "atnorm-md":
        raise ValueError(f'no graders {name!r}: choose "ami-br" or "atnorm-md"')
    path = search(ATNORM_MD_VOTES.file)
    if path is None:
        raise DataUnavailable(
            f"{ATNORM_MD_VOTES.file} is not on this machine and has no address of its own: "
            f"ask for it or look for it at the publisher's.\n{where_to_put(ATNORM_MD_VOTES)}"
        )
    check(path, ATNORM_MD_VOTES.checksum)
    table = pd.read_csv(path)
    said = {f"expert_{k}": table[f"Expert_{k}"].map({"Atypical": 1.0, "Normal": 0.0}).to_numpy() for k in range(1, 6)}
    files = [f"amibr/AtNorM-MD/{kind}/{name}" for kind, name in zip(table["Majority"], table["Filename"], strict=True)]
    return pd.DataFrame(said, index=pd.Index(files, name="file"))


def _ami_br_files(table: pd.DataFrame) -> list[str]:
    kinds = np.where(table["majority_atypical"], "Atypical", "Normal")
    return [f"AMi-Br/{kind}/{d}_{uid}.png" for kind, d, uid in zip(kinds, table["dataset"], table["uid"], strict=True)]
