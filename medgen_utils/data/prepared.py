"""Files from their publishers, and the arrays prepared from them: found here, or fetched, checked and kept.

Search order: the folder named by the environment variable MEDGEN_DATA, the cache (``~/.cache/medgen``), for prepared
arrays the address in MEDGEN_MIRROR (an owner's copies, megabytes instead of an archive), the publisher.
Chapter: generalization_gap.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from medgen_utils.machine import progress_bar

ATTEMPTS = 4
PAUSE = 0.5  # seconds before the second attempt; doubled before each further one
TIMEOUT = 30.0  # seconds without an answer
LARGEST_MEMBER = 64 * 2**20  # bytes of one unpacked file: no image of ours comes near
KEYS = ("images", "labels", "domains", "groups", "files", "class_names", "domain_names")  # of prepared arrays


class DataUnavailable(RuntimeError):
    """A file is neither on this machine nor to be had from its publisher; the message says where to put it."""


class DataCorrupt(ValueError):
    """A file is there, but it is not what its publisher issued."""


class Source(NamedTuple):
    """A publisher's file: the name we keep it under, its address, ``"md5:..."``, ``"sha256:..."`` or "", its size."""

    file: str
    address: str
    checksum: str = ""
    n_bytes: int | None = None


class Prepared(NamedTuple):
    """What makes prepared arrays the published ones: shape and SHA-256 ("" where none is known) of their ``images``."""

    shape: tuple[int, ...]
    sha256: str


def cache_folder() -> Path:
    """Where downloads are kept: ``$XDG_CACHE_HOME/medgen``, by default ``~/.cache/medgen`` (it may not exist yet)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "medgen"


def search(file: str) -> Path | None:
    """The path of ``file`` in the folder MEDGEN_DATA or else in the cache; None where neither has it.

    A relative MEDGEN_DATA is taken from the working folder or, as notebooks work in their own, from the folder that
    holds the package. ValueError where it names no folder.
    """
    folders = [cache_folder()]
    if named := os.environ.get("MEDGEN_DATA"):
        places = [Path(named), Path(__file__).parents[2] / named]
        folder = next((place for place in places if place.is_dir()), None)
        if folder is None:
            raise ValueError(f"MEDGEN_DATA={named!r} is not a folder: correct the environment variable or unset it")
        folders.insert(0, folder)
    return next((path for path in (folder / file for folder in folders) if path.is_file()), None)


def where_to_put(source: Source) -> str:
    """The lines of an error message that tell a reader how to get a file by hand."""
    return (
        f"  file:     {source.file}\n  address:  {source.address}\n"
        f"  checksum: {source.checksum or 'none published; the prepared images are checked instead'}\n"
        f"  mirror of prepared images (MEDGEN_MIRROR): {os.environ.get('MEDGEN_MIRROR') or 'not set'}\n"
        f"  put it into the folder that MEDGEN_DATA names "
        f"({os.environ.get('MEDGEN_DATA') or 'not set'}) or into {cache_folder()}"
    )


def check(path: Path, checksum: str) -> None:
    """DataCorrupt where the file does not have the checksum ``"md5:..."`` or ``"sha256:..."`` ("" checks nothing)."""
    if not checksum:
        return
    algorithm, expected = checksum.split(":")
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != expected:
        raise DataCorrupt(
            f"{path} has the {algorithm.upper()} {found} instead of {expected}: delete the file and load again"
        )


def obtain(source: Source) -> Path:
    """The publisher's file on this machine, checked; downloaded into the cache where it is not here yet.

    DataCorrupt where a file is here with another checksum, DataUnavailable where there is neither file nor network.
    """
    path = search(source.file)
    if path is None:
        path = cache_folder() / source.file
        with locked(path):
            if not path.is_file():  # another process may have fetched it while this one waited
                fetch(source, path)
            return path
    check(path, source.checksum)
    return path


def fetch(source: Source, path: Path) -> None:
    """Download to a temporary file beside ``path``, check it, and rename it: ``path`` is whole or not there at all.

    An unreachable host, a server error, a truncated or a wrong file is tried ``ATTEMPTS`` times with growing pauses;
    then DataUnavailable. Call it under `locked`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    reason: Exception | None = None
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE * 2 ** (attempt - 1) if attempt else 0)
        try:
            _write(source, temporary)
            check(temporary, source.checksum)
            temporary.replace(path)
            return
        except (OSError, http.client.HTTPException, DataCorrupt) as error:  # URLError and time-outs are OSErrors
            reason = error
            if isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410):
                break  # the server is sure: asking again changes nothing
        finally:
            temporary.unlink(missing_ok=True)
    raise DataUnavailable(
        f"{source.file} is not on this machine, and the download failed ({reason}).\n{where_to_put(source)}"
    ) from reason


def _write(source: Source, temporary: Path) -> None:
    request = urllib.request.Request(source.address, headers={"User-Agent": "medgen_utils"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer, temporary.open("wb") as stream:
        announced = answer.headers.get("Content-Length")
        expected = source.n_bytes or (int(announced) if announced else None)
        with progress_bar(total=expected, title=source.file, in_bytes=True) as bar:
            while block := answer.read(2**16):
                bar.update(stream.write(block))
        written = stream.tell()
    if expected is not None and written != expected:
        raise DataCorrupt(f"{written:,} bytes came instead of {expected:,}")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time works on ``path``; the others wait. A process that dies frees its lock.

    DataUnavailable where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("a+b")
    except OSError as error:
        raise DataUnavailable(
            f"{path.name} cannot be kept: {path.parent} cannot be written ({error.strerror}). Name a folder of yours "
            f"in the environment variable XDG_CACHE_HOME, or put the file into the folder that MEDGEN_DATA names "
            f"({os.environ.get('MEDGEN_DATA') or 'not set'})"
        ) from error
    with lock as stream:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            while True:
                try:
                    stream.seek(0)
                    msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # LK_LOCK gives up after ten seconds
                    continue
            try:
                yield
            finally:
                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield  # closing the stream frees the lock


def read_members(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the wanted files of a ``.zip`` or ``.tar.gz``, in archive order; nothing is unpacked to disk.

    A leading ``./`` is taken off the names. DataCorrupt where any member's name points outside the archive's folder,
    where a wanted one is a link or larger than ``LARGEST_MEMBER``, and where the archive is damaged.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = {member: _inside(path, member.filename) for member in archive.infolist()}
                for member, name in names.items():
                    if not member.is_dir() and wanted(name):
                        _refuse_large(path, name, member.file_size)
                        yield name, archive.read(member)
        else:
            with tarfile.open(path, "r:gz") as archive:
                for member in archive:
                    name = _inside(path, member.name)
                    if not member.isdir() and wanted(name):
                        if not member.isfile():
                            raise DataCorrupt(f"{path}: {name!r} is a link, not a file; refused")
                        _refuse_large(path, name, member.size)
                        yield name, archive.extractfile(member).read()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise DataCorrupt(f"{path} is damaged ({error}): delete the file and load again") from error


def _inside(path: Path, name: str) -> str:
    """The name without ``./``; DataCorrupt where it points outside the archive's folder."""
    pure = PurePosixPath(name.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or ":" in "".join(pure.parts[:1]):  # "./" alone has no parts
        raise DataCorrupt(f"{path}: the member {name!r} points outside the archive's folder; the archive is refused")
    return str(pure)


def _refuse_large(path: Path, name: str, n_bytes: int) -> None:
    if n_bytes > LARGEST_MEMBER:
        raise DataCorrupt(f"{path}: {name!r} would unpack to {n_bytes:,} bytes; refused")


def check_size(size: int, sizes: Sequence[int]) -> None:
    """ValueError for a size these images are not prepared at."""
    if size not in sizes:
        known = f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}"
        raise ValueError(f"size={size}: these images are prepared at {known} px; choose one")


def member(members: Mapping[str, bytes], file: str, archive: Path) -> bytes:
    """The content of one file among an archive's ``members``; DataCorrupt where it is not there."""
    if file not in members:
        raise DataCorrupt(f"{archive} has no {file}: delete the file and load again")
    return members[file]


def picture(members: Mapping[str, bytes], file: str, mode: str, archive: Path) -> Image.Image:
    """As `member`, one image in the PIL mode "L" or "RGB"."""
    return Image.open(io.BytesIO(member(members, file, archive))).convert(mode)


def numbers(column: pd.Series, names: Sequence[str], archive: Path) -> np.ndarray:
    """The position of each value in ``names``, uint8 (N, 1); DataCorrupt for a value that is none of them."""
    unknown = set(column) - set(names)
    if unknown:
        raise DataCorrupt(f"{archive}: {sorted(map(str, unknown))} is none of {names}; the archive has changed")
    return np.array([names.index(value) for value in column], np.uint8)[:, None]


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz``; DataCorrupt where it is damaged or holds Python objects, which could run code."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataCorrupt(f"{path} is refused: it is no .npz of plain arrays ({error})") from error


def save_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed ``.npz`` through a temporary file and a rename. Call it under `locked`."""
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def prepared_arrays(
    file: str,
    expected: Mapping[str, Prepared],
    source: Source,
    prepare: Callable[[Path], Mapping[str, dict[str, np.ndarray]]],
) -> dict[str, np.ndarray]:
    """The arrays of ``file``: found (MEDGEN_DATA, then the cache), from the mirror, or prepared from the publisher's.

    images (N, H, W[, 3]) uint8; labels, domains (N, 1) or (N,); groups, files (N,) str; class_names, domain_names.
    ``prepare`` turns the archive ``source`` into the arrays of every file in ``expected``; they are kept in the cache,
    and an archive fetched for them is removed. The images are checked against their SHA-256 wherever they come from;
    where that is "", they come only from an archive whose other images pass. DataCorrupt, DataUnavailable as `obtain`.
    """
    path = search(file)
    if path is None:
        path = cache_folder() / file
        with locked(path.with_name(f"prepare-{source.file}")):
            if not path.is_file() and not _from_mirror(path, expected[file]):
                try:
                    _prepare(expected, source, prepare)
                except DataUnavailable as error:
                    hint = f"or put {file} there: prepared images with the SHA-256 {expected[file].sha256}"
                    raise DataUnavailable(f"{error}\n  {hint}") from error
    arrays = load_npz(path)
    verify(arrays, expected[file], path)
    return arrays


def _from_mirror(path: Path, expected: Prepared) -> bool:
    """Fetch prepared arrays from the address in MEDGEN_MIRROR; False where there is none, or it has not this file."""
    if not (mirror := os.environ.get("MEDGEN_MIRROR")) or not expected.sha256:
        return False
    arrived = path.with_name("mirror-" + path.name)
    try:
        fetch(Source(path.name, f"{mirror.rstrip('/')}/{path.name}"), arrived)
        verify(load_npz(arrived), expected, arrived)
        arrived.replace(path)
        return True
    except DataUnavailable:
        return False
    finally:
        arrived.unlink(missing_ok=True)


def _prepare(
    expected: Mapping[str, Prepared],
    source: Source,
    prepare: Callable[[Path], Mapping[str, dict[str, np.ndarray]]],
) -> None:
    """Prepare every file, check, save into the cache; an archive that was not here before is removed."""
    found = search(source.file)
    archive = obtain(source)
    prepared = prepare(archive)
    for file, arrays in prepared.items():
        verify(arrays, expected[file], archive)
    for file, arrays in prepared.items():
        save_npz(cache_folder() / file, arrays)
    if found is None:
        archive.unlink()


def verify(arrays: dict[str, np.ndarray], expected: Prepared, origin: Path) -> None:
    """DataCorrupt unless the `KEYS` are all there and the images have the shape and SHA-256 of the published set."""
    missing = set(KEYS) - set(arrays)
    if missing:
        raise DataCorrupt(f"{origin} lacks {sorted(missing)}: delete the file and load again")
    if arrays["images"].shape != expected.shape:
        found = arrays["images"].shape
        raise DataCorrupt(f"{origin}: images of shape {found} instead of {expected.shape}; delete the file")
    lengths = {key: arrays[key].size for key in ("labels", "domains", "groups", "files")}
    if set(lengths.values()) != {expected.shape[0]}:
        raise DataCorrupt(f"{origin}: {lengths} entries for {expected.shape[0]} images; delete the file and load again")
    found = hashlib.sha256(np.ascontiguousarray(arrays["images"])).hexdigest()
    if expected.sha256 and found != expected.sha256:
        raise DataCorrupt(
            f"{origin}: the images have the SHA-256 {found} instead of {expected.sha256}; "
            "delete the file and load again"
        )


def to_tensor(images: np.ndarray) -> Tensor:
    """uint8 (N, H, W) or (N, H, W, 3) -> float32 (N, C, H, W) in [0, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(images))
    x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2)
    return x.to(torch.float32, memory_format=torch.contiguous_format).div_(255)
