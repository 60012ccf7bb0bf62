"""What a file is by its first bytes, and what lies inside: archives, workbooks, parquet."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from medgen_utils.tables.words import BadTable

# What the decoders of the standard library raise for damaged bytes; each has its own habit.
_DAMAGE = (EOFError, OSError, ValueError, KeyError, RuntimeError, SyntaxError, zlib.error, lzma.LZMAError)
_DAMAGE += (zipfile.BadZipFile, struct.error, IndexError, TypeError, AttributeError)
_PACKED = {b"\x1f\x8b": ("gzip", gzip.decompress), b"BZh": ("bzip2", bz2.decompress)}
_PACKED[b"\xfd7zXZ\x00"] = ("xz", lzma.decompress)
_REFUSED = {
    b"\xd0\xcf\x11\xe0": "is an old or a protected workbook: save it as xlsx without a password, or as CSV",
    b"7z\xbc\xaf": "is a 7z archive: unpack it first",
    b"Rar!": "is a rar archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "is a zstd archive: unpack it first",
    b"\x93NUMPY": "is a numpy array: save a table with a row an image as CSV",
    b"\x80\x04": "is a pickle, which could run anything: save the table as CSV",
    b"\x80\x05": "is a pickle, which could run anything: save the table as CSV",
    b"\x89HDF": "is an HDF5 file: save the table as CSV",
    b"ARROW1": "is a Feather file: save the table as CSV or parquet",
    b"%PDF": "is a PDF: save the table as CSV",
    b"\x89PNG": "is a picture: give the table",
}


def unpack(path: str | Path) -> tuple[str, bytes]:
    """("text" | "xlsx" | "parquet", the bytes) of a file: BadTable where it is missing, damaged or of another kind."""
    if Path(path).is_dir():
        raise BadTable(f"{path} is a folder: name the file in it")
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise BadTable(f"{path}: there is no such file: check the path") from None
    except (OSError, ValueError) as cause:
        raise BadTable(f"{path} cannot be read: {getattr(cause, 'strerror', None) or cause}: check the path") from None
    for _ in range(4):  # an archive in an archive
        kind, data = _step(path, data)
        if kind != "packed":
            return kind, data
    raise BadTable(f"{path} is an archive within archives: unpack it first")


def _step(path: str | Path, data: bytes) -> tuple[str, bytes]:
    for mark, (name, decompress) in _PACKED.items():
        if data.startswith(mark):
            try:
                return "packed", decompress(data)
            except _DAMAGE as cause:
                raise BadTable(f"{path} is a damaged {name} archive ({cause}): copy or export it again") from None
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzip(path, data)
    if data.startswith(b"PAR1"):
        return "parquet", data
    if data[257:262] == b"ustar":
        raise BadTable(f"{path} is a tar archive: unpack it first")
    for mark, what in _REFUSED.items():
        if data.startswith(mark):
            raise BadTable(f"{path} {what}")
    return "text", data


def _unzip(path: str | Path, data: bytes) -> tuple[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                return "xlsx", data
            if "mimetype" in names and b"opendocument" in archive.read("mimetype"):
                raise BadTable(f"{path} is an OpenDocument file: save it as xlsx or CSV")
            parts = [Path(name).parts for name in names]
            files = [n for n, p in zip(names, parts, strict=True) if not n.endswith("/") and p[0] != "__MACOSX"]
            files = [name for name in files if not Path(name).name.startswith(".")]
            if len(files) != 1:
                raise BadTable(f"{path} holds {len(files)} files ({', '.join(files[:4])}): unpack it and name one")
            return "packed", archive.read(files[0])
    except BadTable:
        raise
    except _DAMAGE as cause:
        locked = "encrypted" in str(cause)
        what = "is a zip archive with a password: unpack it first" if locked else f"is a damaged zip archive ({cause})"
        raise BadTable(f"{path} {what}" + ("" if locked else ": copy or export it again")) from None


def sheet(path: str | Path, data: bytes, notices: list[str]) -> Iterator[Sequence[object]]:
    """The rows of the first sheet of a workbook that holds any."""
    try:
        import openpyxl
    except ImportError:
        raise BadTable(f"{path} is a workbook: pip install openpyxl reads it, or save it as CSV") from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for one in book.worksheets:
            one.reset_dimensions()  # some programs write them wrong
            rows = list(one.iter_rows(values_only=True))
            if any(value is not None for row in rows for value in row):
                if len(book.sheetnames) > 1:
                    notices.append(f"{path}: the sheet {one.title!r} was read, one of {len(book.sheetnames)}")
                return iter(rows)
    except _DAMAGE as cause:
        raise BadTable(f"{path} is a damaged workbook or none ({cause}): save it again, or as CSV") from None
    raise BadTable(f"{path}: the workbook is empty: export the table again")


def parquet(path: str | Path, data: bytes) -> Iterator[Sequence[object]]:
    """The header and the rows of a parquet file; an index with a name is a column."""
    try:
        table = pd.read_parquet(io.BytesIO(data))
    except ImportError:
        raise BadTable(f"{path} is a parquet file: pip install pyarrow reads it, or save it as CSV") from None
    except _DAMAGE as cause:
        raise BadTable(f"{path} is a damaged parquet file ({cause}): copy or export it again") from None
    named = [name for name in table.index.names if name is not None]
    table = table.reset_index(named) if named else table
    columns = [table[column].to_numpy(object) for column in table]
    return iter([[str(column) for column in table], *zip(*columns, strict=True)])
