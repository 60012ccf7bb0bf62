"""How large a chapter is, in what a reader sees: ``python -m tools.chapter_size [chapters/x.ipynb ...]``.

Prints a line a chapter and, below it, which limit it misses; ends with exit status 1 where one is missed.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np

from tools import ROOT

UNSEEN = {"remove-input", "remove-cell", "hide-input", "hide-cell"}
IMPORT = re.compile(r"^\s*(?:import|from [\w.]+ import) ", re.MULTILINE)


class Size(NamedTuple):
    """Visible code cells; their median, 90th percentile and most lines; characters of their longest line; cells that
    import, seen or not (the set-up cell apart), and lines of the longest of them; words of the text."""

    cells: int
    median: float
    p90: float
    most: int
    longest: int
    importing: int
    import_lines: int
    words: int


LOWEST = {"cells": 20, "words": 2000}
HIGHEST = {"cells": 32, "median": 6, "most": 20, "longest": 78, "importing": 1, "import_lines": 8, "words": 3000}


def of(notebook: dict) -> Size:
    """The size of a notebook (nbformat 4); one without visible code has zeros. Hidden and removed cells are not seen.

    Words are whatever stands between blanks in the Markdown cells, quizzes, hints and solutions too.
    """
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    prose = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    seen = ["".join(cell["source"]) for cell in code if UNSEEN.isdisjoint(cell["metadata"].get("tags", []))]
    imports = [text for cell in code[1:] if IMPORT.search(text := "".join(cell["source"]))]  # the first is the set-up
    lines = [text.count("\n") + 1 for text in seen] or [0]
    return Size(
        cells=len(seen),
        median=float(np.median(lines)),
        p90=round(float(np.percentile(lines, 90)), 1),
        most=max(lines),
        longest=max((len(line) for text in seen for line in text.splitlines()), default=0),
        importing=len(imports),
        import_lines=max((text.count("\n") + 1 for text in imports), default=0),
        words=sum(len(text.split()) for text in prose),
    )


def problems(size: Size) -> list[str]:
    """Which limits a chapter misses, in words."""
    has = size._asdict()
    few = [f"{name}: {has[name]:g}, at least {limit}" for name, limit in LOWEST.items() if has[name] < limit]
    return few + [f"{name}: {has[name]:g}, at most {limit}" for name, limit in HIGHEST.items() if has[name] > limit]


def main(names: list[str]) -> int:
    """Print sizes and problems; 1 where there is a problem, else 0."""
    paths = [Path(name) for name in names] or sorted(ROOT.glob("chapters/*.ipynb"))
    print(f"{'':22}" + "".join(f"{name.replace('_', ' '):>14}" for name in Size._fields))
    missed = False
    for path in paths:
        size = of(nbformat.read(path, as_version=4))
        print(f"{path.stem:22}" + "".join(f"{value:14g}" for value in size), flush=True)
        found = problems(size)
        missed |= bool(found)
        print("".join(f"    {note}\n" for note in found), end="")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
