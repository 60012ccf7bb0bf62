"""Where in the chapters a claim points to: titles, headings and figures around a cell."""

import json
import re
from functools import lru_cache
from pathlib import Path

QUIZ = "<details><summary>A. "  # of the first answer, as tools/teach/quizzes.py writes it
IMAGES = ("image/png", "image/svg+xml", "image/webp")


def notebook(root: Path, chapter: str) -> dict:
    """A chapter as it is stored; read once for each state of the file."""
    path = root / "chapters" / f"{chapter}.ipynb"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def has(root: Path, chapter: str, cell: str) -> bool:
    """Whether the chapter exists and holds the cell."""
    path = root / "chapters" / f"{chapter}.ipynb"
    return path.exists() and any(found.get("id") == cell for found in notebook(root, chapter)["cells"])


def title(root: Path, chapter: str) -> str:
    """The chapter's title up to a colon."""
    return re.search(r"^# ([^:\n]+)", "".join(notebook(root, chapter)["cells"][0]["source"]), re.MULTILINE)[1].strip()


def section(root: Path, chapter: str, cell: str) -> str:
    """The nearest heading above a cell, without its Markdown. ValueError for a cell that is not there."""
    return _sections(root, chapter)[_position(root, chapter, cell)][1]


def figure(root: Path, chapter: str, cell: str) -> str | None:
    """The id of the cell whose figure belongs to ``cell``: its own, else the nearest in the section, above first.

    Figures come before their sentences. None for a section without any: a table is its own figure.
    """
    cells, sections, at = notebook(root, chapter)["cells"], _sections(root, chapter), _position(root, chapter, cell)
    drawn = [k for k, one in enumerate(cells) if _draws(one) and sections[k] == sections[at]]
    above, below = [k for k in drawn if k <= at], [k for k in drawn if k > at]
    found = above[-1:] or below[:1]
    return cells[found[0]]["id"] if found else None


def _draws(cell: dict) -> bool:
    return any(kind in output.get("data", {}) for output in cell.get("outputs", ()) for kind in IMAGES)


def _sections(root: Path, chapter: str) -> list[tuple[int, str]]:
    """For each cell its section: how many headings there were before, and the last one of them.

    The heading of a quiz is none: what follows it still belongs to the section that asks.
    """
    found, count, heading = [], 0, ""
    for cell in notebook(root, chapter)["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and QUIZ not in text:
            headings = re.findall(r"^#{1,3} (.+)$", text, re.MULTILINE)
            count, heading = count + len(headings), (headings or [heading])[-1]
        found.append((count, heading))
    return found


def _position(root: Path, chapter: str, cell: str) -> int:
    found = [k for k, one in enumerate(notebook(root, chapter)["cells"]) if one.get("id") == cell]
    if not found:
        raise ValueError(f"{chapter} has no cell {cell}")
    return found[0]
