"""A table of any kind -> cells as text, or an error that names place and remedy."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils.tables import archives
from medgen_utils.tables.words import Ask, BadTable, as_option, did_you_mean, listed, tidy

SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}
_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\x00\x00\xfe\xff", "utf-32"), (b"\xef\xbb\xbf", "utf-8-sig"))
_MARKS += ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_SEP_LINE = re.compile(r'\s*"?sep=(.)"?[\s,;|]*\r?\n?$', re.IGNORECASE)
_BLOCK = 10_000  # rows
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*$")


def read_table(
    path: str | Path, *, separator: str | None = None, encoding: str | None = None, ask: Ask = as_option
) -> pd.DataFrame:
    """All cells as text, "" where empty; the index is the row in the file, blank rows counted, the header not.

    CSV with any separator and the encodings that say themselves (UTF-8, UTF-16 with its mark), plain or as gz, bz2, xz
    or zip; xlsx where openpyxl and parquet where pyarrow is installed. ``separator``: a character or its name (tab);
    found in the header by default. ``attrs["notices"]``: what was read otherwise than it stands there. Names of columns
    lose the blanks around them; those without a name are called "Unnamed: 0" and so on, as pandas does. BadTable where
    the file is missing, damaged, empty or no table. ``ask`` words a setting in a remedy.
    """
    notices: list[str] = []
    kind, data = archives.unpack(path)
    if kind == "xlsx":
        numbers, columns = _filled(archives.sheet(path, data, notices))
    elif kind == "parquet":
        numbers, columns = _filled(archives.parquet(path, data))
    else:
        numbers, columns = _records(path, _decode(path, data, encoding, ask, notices), separator, ask, notices)
    if len(numbers) < 2:
        raise BadTable(f"{path}: a header and no rows: export the table again")
    cells = {i: column[1:] for i, column in enumerate(columns)}
    table = pd.DataFrame(cells, index=np.array(numbers[1:]) - numbers[0], dtype=object)
    table.columns = _columns(path, [column[0] for column in columns])
    unnamed = [column for column in table if _UNNAMED.match(column)]
    table = table.drop(columns=[column for column in unnamed if not any(table[column])])
    table.attrs["notices"] = notices
    return table


def data_columns(table: pd.DataFrame) -> list[str]:
    """The columns with a name; those without are row numbers that a program wrote beside the data."""
    return [column for column in table if not _UNNAMED.match(column)]


def require(path: str | Path, table: pd.DataFrame, column: str, ask: Ask = as_option) -> None:
    """BadTable unless the table has the column."""
    if column in table:
        return
    hint = did_you_mean(column, table.columns) or "give its name as it stands there"
    if len(table.columns) == 1:
        hint = f"if these are several columns, say what stands between them: {ask('separator', 'tab')}"
    raise BadTable(f"{path}: column {column!r} is missing; the file has {listed(table.columns)}: {hint}")


def _decode(path: str | Path, data: bytes, encoding: str | None, ask: Ask, notices: list[str]) -> str:
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    wide = marked in ("utf-16", "utf-32")
    if wide and encoding and not encoding.lower().replace("_", "-").startswith(marked):
        raise BadTable(f"{path}: its first bytes say {marked.upper()}: {ask('encoding', marked)}, or leave it out")
    if encoding and encoding.lower().startswith(("utf-16", "utf-32")) and b"\0" not in data:
        raise BadTable(f"{path} is not {encoding}: leave the encoding out")
    if wide and not encoding:
        notices.append(f"{path} is {marked.upper()} by its first bytes, and was read so ({ask('encoding', marked)})")
    if not encoding and not marked and b"\0" in data[:4000]:
        odd = data[1:4000:2].count(0) > data[0:4000:2].count(0)
        many = data[:4000].count(0) > len(data[:4000]) / 4
        remedy = ask("encoding", "utf-16-le" if odd else "utf-16-be") if many else "export it again"
        raise BadTable(f"{path} holds NUL bytes{', as UTF-16 does' if many else ''}, and is no plain text: {remedy}")
    chosen = encoding or marked or "utf-8-sig"
    chosen = "utf-8-sig" if chosen.lower().replace("_", "-") in ("utf-8", "utf8") else chosen
    try:
        text = data.decode(chosen)
    except LookupError:
        raise BadTable(f"unknown encoding {encoding!r}: try utf-8, utf-16 or latin-1") from None
    except UnicodeError as error:
        where = _undecodable(data, error)
        advice = "leave the encoding out, or try utf-8" if encoding else f"for example {ask('encoding', 'latin-1')}"
        name = encoding or chosen.removesuffix("-sig").upper()
        raise BadTable(
            f"{path}: {where} is not {name}: save the file as UTF-8, or name its encoding, {advice}"
        ) from None
    if encoding and not data.isascii() and not wide and "utf" not in chosen.lower():
        try:
            data.decode("utf-8")
            notices.append(f"{path} reads as UTF-8 too: where names look broken, leave {ask('encoding', encoding)} out")
        except UnicodeDecodeError:
            pass
    return text


def _undecodable(data: bytes, error: UnicodeError) -> str:
    """Where the file stops being text: the row, the column, the byte, and what it would be in Latin-1."""
    start = getattr(error, "start", None)
    if start is None or b"\0" in data[:100]:
        return "the file"
    before = data[:start].decode("latin-1")
    separator = _separator(before)
    records = list(csv.reader(io.StringIO(before, newline=""), delimiter=separator)) or [[""]]
    byte = f"byte 0x{data[start]:02x} ({data[start : start + 1].decode('latin-1')!r} in Latin-1)"
    if len(records) < 2 and not before.endswith("\n"):
        return f"the header: {byte}"
    ended = before.endswith(("\n", "\r"))
    field = 0 if ended else len(records[-1]) - 1
    column = records[0][min(field, len(records[0]) - 1)]
    return f"row {len(records) - (0 if ended else 1)} (the header not counted), column {column.strip()!r}: {byte}"


def _records(
    path: str | Path, text: str, separator: str | None, ask: Ask, notices: list[str]
) -> tuple[list[int], list[list[str]]]:
    """The number of each record that is not blank, and its columns, each with its name first."""
    if not text.strip():
        raise BadTable(f"{path}: the file is empty: export the table again")
    if separator is not None:
        separator = SEPARATORS.get(separator, separator)
        if len(separator) != 1:
            raise BadTable(f"separator {separator!r}: give one character, or the word tab")
    first = text[: text.find("\n") + 1] or text
    if sep := _SEP_LINE.match(first):
        separator = separator or sep[1]
        text = text[len(first) :]
        notices.append(f"{path}: line 1 ({first.strip()!r}) is no header but a word to Excel: left out")
    if re.match(r"\s*(<!doctype|<html|<\?xml|<table)", text[:200], re.IGNORECASE):
        raise BadTable(f"{path} is a web page (HTML) or XML: save the table as CSV or xlsx")
    if re.match(r'\s*(\{\s*"|\[\s*[\[{])', text[:200]):
        raise BadTable(f"{path} is JSON: save the table as CSV")
    chosen = separator or _separator(text)
    numbers: list[int] = []
    columns: list[list[str]] = []
    block: list[list[str]] = []
    width, short = 0, False
    for number, fields in enumerate(_reader(path, text, chosen)):
        if len(fields) != width or not fields or not fields[0]:
            if not any(field.strip() for field in fields):
                continue
            width = width or len(fields)
            if len(fields) > width and any(field.strip() for field in fields[width:]):
                raise BadTable(_too_long(path, number - numbers[0], len(fields), width, chosen, ask))
            short = len(fields) < width
            fields = (fields + [""] * width)[:width]
        else:
            short = False
        numbers.append(number)
        block.append(fields)
        if len(block) == _BLOCK:
            columns, block = _longer(columns, block), []
    if short and not text.endswith(("\n", "\r")):
        row = numbers[-1] - numbers[0]
        raise BadTable(f"{path}: the last row, {row}, ends too early: the file was cut off, export it again")
    return numbers, _longer(columns, block)


def _longer(columns: list[list[str]], rows: list[list[str]]) -> list[list[str]]:
    """The columns with more rows. In blocks: a million small lists at once keep the garbage collector busy."""
    for i, cells in enumerate(zip(*rows, strict=True)):
        if i == len(columns):
            columns.append([])
        columns[i].extend(cells)
    return columns


def _too_long(path: str | Path, row: int, found: int, width: int, separator: str, ask: Ask) -> str:
    comma = f"; decimal commas need another separator: {ask('separator', repr(';'))}" if separator == "," else ""
    return (
        f"{path}: row {row} (the header not counted) has {found} fields, more than the header with {width}: "
        f"name every column, and put names with {separator!r} in quotation marks{comma}"
    )


def _reader(path: str | Path, text: str, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=separator != " "
    )
    try:
        yield from reader
    except csv.Error as error:
        raise BadTable(
            f"{path}: line {reader.line_num}: {error}: a quotation mark inside a quoted cell is written twice, "
            "and one that opens must close"
        ) from None


def _separator(text: str) -> str:
    """The mark that divides the header and the rows after it into the same number of fields, the largest."""
    lines = [line for line in islice(io.StringIO(text, newline=""), 30) if line.strip()]

    def fields(mark: str) -> tuple[bool, int]:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=mark, skipinitialspace=True) if row]
        except csv.Error:
            return False, 0
        return len(set(counts)) == 1, len(next(csv.reader(lines, delimiter=mark), []))

    best = max(",;\t|", key=lambda mark: (fields(mark)[1] > 1, fields(mark)))
    return best if fields(best)[1] > 1 else ","


def _filled(rows: Iterable[Sequence[object]]) -> tuple[list[int], list[list[str]]]:
    """Rows of values as `_records` gives those of a text."""
    texts = [[_text(value) for value in values] for values in rows]
    numbers = [number for number, cells in enumerate(texts) if any(cells)]
    width = max((len(texts[number]) for number in numbers), default=0)
    return numbers, _longer([], [texts[number] + [""] * (width - len(texts[number])) for number in numbers])


def _text(value: object) -> str:
    if value is None or value is pd.NaT or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return ""
    if value is pd.NA:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray):
        return str(value.tolist())
    return str(value)


def _columns(path: str | Path, header: Sequence[str]) -> list[str]:
    names: list[str] = []
    for i, field in enumerate(header):
        name = tidy(field) or f"Unnamed: {i}"
        while _UNNAMED.match(name) and name in names:
            name += ".1"
        if name in names:
            raise BadTable(f"{path}: column {name!r} occurs twice: rename one of them")
        names.append(name)
    return names
