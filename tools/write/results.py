"""Write the numbers that a chapter's stored outputs show into ``chapters/results/<chapter>.csv``: ``make write``.

A row of such a file is one printed number, or one number with its interval, and its address: the id of the cell, which
output of the cell (``table 1``, ``text 1``), row and column. In a sentence the row is the sentence with its numbers
replaced by ``…``, and the column counts them. Nothing is run. Sweeps write into the
evidence store, not here.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tools import ROOT
from tools.write import in_step

NUMBER = r"[+\-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?(?: ?%)?"
IN_TEXT = re.compile(rf"(?<![\w.])(?<!\w-){NUMBER}(?: \({NUMBER} to {NUMBER}\)?)?(?!\w|\.\d)")
# a cell with a result, and not with a name such as "GE Logiq 7"
RESULT = re.compile(rf"{NUMBER}|.*(\d\.\d|\d ?%|\d of \d|\d/\d|\b(of|from|to|by) \d)")
TABLE = re.compile(r'<table[^>]*class="dataframe".*?</table>', re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class Entry(NamedTuple):
    """One printed number and its address."""

    cell: str
    output: str
    row: str
    column: str
    value: str


def entries(notebook: dict) -> list[Entry]:
    """Every number in the stored outputs of a notebook (nbformat 4, as a dict), but for set-up and exercises."""
    found = []
    for cell in _experiments(notebook):
        tables = texts = 0
        for output in cell["outputs"]:
            for table in _tables(output):
                tables += 1
                found += _unique(Entry(cell["id"], f"table {tables}", *rest) for rest in _of_table(table))
            text = _text(output)
            if text.strip():
                texts += 1
                found += _unique(Entry(cell["id"], f"text {texts}", *rest) for rest in _of_text(text))
    return found


def _experiments(notebook: dict) -> Iterator[dict]:
    """The code cells after the set-up cell, without those under the heading 'Exercises'."""
    skip, first = False, True
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for heading in re.findall(r"^## (.+)$", "".join(cell["source"]), re.MULTILINE):
                skip = heading.startswith("Exercise")
        elif cell["cell_type"] == "code":
            if not (first or skip):
                yield cell
            first = False


def _tables(output: dict) -> list[list[list[str]]]:
    """The tables of an output, each as a grid: a header row, then the rows; the row label is the first column."""
    data = output.get("data", {})
    if "text/markdown" in data:
        blocks = re.findall(r"(?:^\|.*\n?)+", "".join(data["text/markdown"]), re.MULTILINE)
        return [
            [_cells(line) for line in block.strip().split("\n") if not re.fullmatch(r"[|\s:-]+", line)]
            for block in blocks
        ]
    return [_grid(table) for table in TABLE.findall("".join(data.get("text/html", "")))]


def _cells(line: str) -> list[str]:
    return [_plain(cell) for cell in line.strip().strip("|").split("|")]


def _grid(html: str) -> list[list[str]]:
    """A frame's HTML as a grid of strings: one header row and one column of row labels, the levels joined by ' / '."""
    table = ElementTree.fromstring(html)
    head = _expanded(table.find("thead"))
    body = _expanded(table.find("tbody"))
    labels = len(table.find("tbody/tr").findall("th"))  # the first row holds every level of the index
    width = len(body[0])
    head = [row + [""] * (width - len(row)) for row in head]
    levels = [row[labels:] for row in head if any(row[labels:])]
    columns = [" / ".join(filter(None, level)) for level in zip(*levels, strict=True)]
    grid = [["", *columns]]
    for row in body:
        index, cells = row[:labels], row[labels:]
        if labels == 1 and index[0].isdigit():  # a numbered row says nothing: name it by its words
            words = list(takewhile(lambda cell: not re.match(NUMBER, cell), cells))
            index, cells = words or index, [""] * len(words) + cells[len(words) :]
        grid.append([" / ".join(index), *cells])
    return grid


def _expanded(section: ElementTree.Element) -> list[list[str]]:
    """The rows of a table section with every spanning cell repeated."""
    rows: list[list[str]] = []
    pending: dict[int, tuple[int, str]] = {}  # column -> rows left, text
    for tr in section.findall("tr"):
        row: list[str] = []
        cells = iter(tr)
        while True:
            if pending.get(len(row), (0, ""))[0]:
                left, text = pending[len(row)]
                pending[len(row)] = (left - 1, text)
                row.append(text)
                continue
            cell = next(cells, None)
            if cell is None:
                break
            text = _plain("".join(cell.itertext()))
            for _ in range(int(cell.get("colspan", 1))):
                pending[len(row)] = (int(cell.get("rowspan", 1)) - 1, text)
                row.append(text)
        rows.append(row)
    return rows


def _of_table(grid: list[list[str]]) -> Iterator[tuple[str, str, str]]:
    for row in grid[1:]:
        for column, cell in zip(grid[0][1:], row[1:], strict=True):
            if RESULT.match(cell):
                yield row[0], column, cell


def _text(output: dict) -> str:
    """The sentences of an output: printed text, or Markdown without its tables; nothing where there is a table."""
    if output["output_type"] == "stream":
        return "".join(output["text"]) if output["name"] == "stdout" else ""
    data = output.get("data", {})
    if "text/markdown" in data:
        return re.sub(r"^\|.*$", "", "".join(data["text/markdown"]), flags=re.MULTILINE)
    if set(data) != {"text/plain"}:
        return ""
    return "".join(data["text/plain"])


def _of_text(text: str) -> Iterator[tuple[str, str, str]]:
    for line in text.split("\n"):
        for sentence in re.split(r"(?<!al\.)(?<=[.!?]) +", _plain(line)):
            numbers = IN_TEXT.findall(sentence)
            row = IN_TEXT.sub("…", sentence)
            for i, number in enumerate(numbers, start=1):
                yield row, str(i), number + (")" if "(" in number and ")" not in number else "")


def _plain(text: str) -> str:
    """Text without Markdown's marks and with single spaces."""
    text = re.sub(r"\*\*|(?<!\w)[*_]|[*_](?!\w)|[`$]|^- ", "", LINK.sub(r"\1", text).strip())
    return " ".join(text.replace("#", "").split())


def _unique(found: Iterator[Entry]) -> list[Entry]:
    """The entries, a repeated address made different by a count in its row."""
    seen: dict[Entry, int] = {}
    result = []
    for entry in found:
        address = entry._replace(value="")
        seen[address] = seen.get(address, 0) + 1
        count = seen[address]
        result.append(entry if count == 1 else entry._replace(row=f"{entry.row} ({count})"))
    return result


def as_csv(notebook: dict, chapter: str) -> str:
    """The file of a chapter: where its numbers come from in lines that start with '#', then the table."""
    executed = notebook["metadata"].get("medgen", {}).get("executed", {})
    lines = [f"# Numbers that the outputs of chapters/{chapter}.ipynb show; written by `make write`"]
    lines += [f"# {key}: {value}" for key, value in executed.items()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Entry._fields)
    writer.writerows(entries(notebook))
    return "\n".join(lines) + "\n" + text.getvalue()


def read(path: Path) -> list[Entry]:
    """The entries of a file that ``make write`` wrote."""
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = csv.reader(line for line in lines if line and not line.startswith("#"))
    return [Entry(*row) for row in rows][1:]


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring the files in step with the notebooks; the names of those that were not. ``write=False`` changes nothing."""
    wanted = {}
    for path in sorted(root.glob("chapters/*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        wanted[root / "chapters" / "results" / f"{path.stem}.csv"] = as_csv(notebook, path.stem)
    return in_step.write_changed(wanted, root, write)
