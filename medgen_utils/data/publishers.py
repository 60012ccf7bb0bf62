"""Where each data set comes from: prepared arrays found, or made from the publisher's archive and kept.

Chapter: generalization_gap.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils.data import prepared as download
from medgen_utils.data.preparation import SIZES, ami_br_votes, atnorm_md_votes, prepare_busbra, prepare_mitosis
from medgen_utils.data.prepared import (
    DataCorrupt,
    DataUnavailable,
    Source,
    cache_folder,
    check,
    load_npz,
    locked,
    obtain,
    read_members,
    save_npz,
    search,
    where_to_put,
)

BUSBRA = Source(
    "BUSBRA.zip",
    "https://zenodo.org/records/8231412/files/BUSBRA.zip?download=1",
    "sha256:ba3e6ed19cc37c682d8d39e25435bbf8a555a12cb7e641b5f2117685c95580ff",
    133_917_740,
)
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

# (name, size) -> shape and SHA-256 of the prepared images
PREPARED: dict[tuple[str, int], tuple[tuple[int, ...], str]] = {
    ("busbra", 28): ((1875, 28, 28), "abfc286f88dbd62c0495eeeff0d0d82001be7b61ae3737b970b269ae9264e068"),
    ("busbra", 64): ((1875, 64, 64), "6c3ef3cb728f508eaaf8fb6014ca70e2850d5326fa15bf22d9840ff348deb740"),
    ("mitosis", 28): ((6573, 28, 28, 3), "cf898f3475949d2b9b2fc309d5a27ff1646ddb81911be6cbf7fdaf2e4a727162"),
    ("mitosis", 64): ((6573, 64, 64, 3), "5da81771def36e4f578598adab168c7eea098ef72fa306bfce5da831eee8b759"),
}
# MD5 of the 28 px files, as in medmnist.INFO: files found on disk are checked without the slow import of medmnist
MEDMNIST_MD5 = {
    "breastmnist": "750601b1f35ba3300ea97c75c52ff8f6",
    "pneumoniamnist": "28209eda62fecd6e6a2d98b1501bb15f",
    "organamnist": "68e3f8846a6bd62f0c9bf841c0d9eacc",
    "organcmnist": "b9ceb9546e10131b32923c5bbeaea2b1",
    "organsmnist": "9ab87b696fb54e2a387ebe992d6ed5f1",
    "pathmnist": "a8b06965200029087d5bd730944a56c1",
}


def prepared(name: str, size: int) -> dict[str, np.ndarray]:
    """The prepared arrays of ``"busbra"`` or ``"mitosis"`` at 28 or 64 px.

    images (N, size, size[, 3]) uint8; labels, domains (N, 1) uint8; groups, files (N,) str; class_names, domain_names.
    Found as ``{name}_{size}.npz`` (MEDGEN_DATA, then the cache), else prepared from the publisher's archive and kept in
    the cache; the images are checked against their SHA-256 either way. DataCorrupt, DataUnavailable as in `download`.
    """
    if (name, size) not in PREPARED:
        raise ValueError(f"size={size}: these images are prepared at {' and '.join(map(str, SIZES))} px; choose one")
    file = f"{name}_{size}.npz"
    path = search(file)
    if path is None:
        path = cache_folder() / file
        with locked(cache_folder() / name):
            if not path.is_file():
                try:
                    _prepare(name)
                except DataUnavailable as error:
                    hint = f"or put {file} there: prepared images with the SHA-256 {PREPARED[name, size][1]}"
                    raise DataUnavailable(f"{error}\n  {hint}") from error
    arrays = load_npz(path)
    verify(arrays, name, size, path)
    return arrays


def verify(arrays: dict[str, np.ndarray], name: str, size: int, origin: Path) -> None:
    """DataCorrupt unless the keys are all there and the images have the shape and the SHA-256 of the published set."""
    shape, expected = PREPARED[name, size]
    missing = {"images", "labels", "domains", "groups", "files", "class_names", "domain_names"} - set(arrays)
    if missing:
        raise DataCorrupt(f"{origin} lacks {sorted(missing)}: delete the file and load again")
    if arrays["images"].shape != shape:
        raise DataCorrupt(f"{origin}: images of shape {arrays['images'].shape} instead of {shape}; delete the file")
    lengths = {key: arrays[key].size for key in ("labels", "domains", "groups", "files")}
    if set(lengths.values()) != {shape[0]}:
        raise DataCorrupt(f"{origin}: {lengths} entries for {shape[0]} images; delete the file and load again")
    found = hashlib.sha256(np.ascontiguousarray(arrays["images"])).hexdigest()
    if found != expected:
        raise DataCorrupt(
            f"{origin}: the images have the SHA-256 {found} instead of {expected}; delete the file and load again"
        )


def _prepare(name: str) -> None:
    """Prepare every size from the publisher's archive, check, save into the cache; a new archive is removed."""
    source = BUSBRA if name == "busbra" else AMIBR
    found = search(source.file)
    archive = obtain(source)
    by_size = prepare_busbra(archive) if name == "busbra" else prepare_mitosis(archive, obtain(AMIBR_TABLE))
    for size, arrays in by_size.items():
        verify(arrays, name, size, archive)
        save_npz(cache_folder() / f"{name}_{size}.npz", arrays)
    if name == "mitosis":
        for _, content in read_members(archive, lambda member: member.endswith("/" + ATNORM_MD_VOTES.file)):
            (cache_folder() / ATNORM_MD_VOTES.file).write_bytes(content)
    if found is None:
        archive.unlink()


def graders(name: str) -> pd.DataFrame:
    """The experts' votes of ``"ami-br"`` or ``"atnorm-md"``: a row an image, a column an expert; see `preparation`.

    The votes of AtNorM-MD have no address of their own: DataUnavailable where they are neither on disk nor were in the
    archive the mitosis images came from.
    """
    if name == "ami-br":
        return ami_br_votes(obtain(AMIBR_TABLE))
    if name != "atnorm-md":
        raise ValueError(f'no graders {name!r}: choose "ami-br" or "atnorm-md"')
    path = search(ATNORM_MD_VOTES.file)
    if path is None:
        raise DataUnavailable(
            f"{ATNORM_MD_VOTES.file} is not on this machine and has no address of its own: "
            f"ask for it or look for it at the publisher's.\n{where_to_put(ATNORM_MD_VOTES)}"
        )
    check(path, ATNORM_MD_VOTES.checksum)
    return atnorm_md_votes(path)


def medmnist_file(flag: str, size: int) -> str:
    """The name under which `medmnist` keeps a set: ``breastmnist.npz``, ``breastmnist_64.npz``."""
    return f"{flag}.npz" if size == 28 else f"{flag}_{size}.npz"


def medmnist_arrays(flag: str, size: int = 28) -> dict[str, np.ndarray]:
    """The arrays ``{train,val,test}_{images,labels}`` of a MedMNIST set, from disk or through `medmnist`'s download.

    Sizes 28, 64, 128, 224. A file found on disk at 28 px is checked by its MD5 where it is one of `MEDMNIST_MD5`.
    """
    if size not in (28, 64, 128, 224):
        raise ValueError(f"size={size}: MedMNIST comes in 28, 64, 128 and 224 px; choose one of these")
    file = medmnist_file(flag, size)
    path = search(file)
    if path is None:
        path = _download_medmnist(flag, size)
    elif size == 28 and flag in MEDMNIST_MD5:
        check(path, f"md5:{MEDMNIST_MD5[flag]}")
    arrays = load_npz(path)
    for part in ("train", "val", "test"):
        images, labels = arrays.get(f"{part}_images"), arrays.get(f"{part}_labels")
        if images is None or labels is None:
            raise DataCorrupt(f"{path} lacks {part}_images or {part}_labels: delete the file and load again")
        if images.dtype != np.uint8 or images.shape[1:] not in ((size, size), (size, size, 3)):
            raise DataCorrupt(
                f"{path}: {part}_images is {images.dtype} {images.shape}, not uint8 of {size} x {size} px"
            )
        if len(labels) != len(images):
            raise DataCorrupt(f"{path}: {len(labels)} labels for {len(images)} images in {part}")
    return arrays


def _download_medmnist(flag: str, size: int) -> Path:
    import medmnist  # takes seconds, so only where it is needed

    path = cache_folder() / medmnist_file(flag, size)
    suffix = "" if size == 28 else f"_{size}"
    info = medmnist.INFO[flag]
    source = Source(path.name, info[f"url{suffix}"], f"md5:{info[f'MD5{suffix}']}")
    with locked(path):
        for attempt in range(download.ATTEMPTS):
            if path.is_file():  # fetched now, or by another process while this one waited
                return path
            time.sleep(download.PAUSE * 2 ** (attempt - 1) if attempt else 0)
            with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
                try:  # checks the MD5
                    getattr(medmnist, info["python_class"])(split="train", download=True, root=folder, size=size)
                    (Path(folder) / path.name).replace(path)
                except RuntimeError as error:
                    reason = error
    if not path.is_file():
        raise DataUnavailable(
            f"{path.name} is not on this machine, and medmnist could not download it.\n{where_to_put(source)}"
        ) from reason
    return path
