"""The exercises of a chapter: the folded solution is the master, the stub before it is cut from it.

In a chapter an exercise is, in this order: the task (Markdown), the stub (a code cell tagged ``exercise``), a check
that answers in words (a code cell tagged ``self-check``), and a Markdown cell with the folded hint and solution::

    <details><summary>Solution</summary>          def f(x):
                                                      \"\"\"What it returns.\"\"\"
    ```python                                         ### BEGIN SOLUTION
    (the complete cell, with the usual marks, right)  return 2 * x
    ```                                               ### END SOLUTION

    Remarks, if any.

    </details>

What stands between the marks is cut and replaced by ``...  # your code here``: that is the stub, on the site and in the
student notebook. The marks are those of nbgrader, which knows them in the solution notebooks of ``make teach``.
A check returns a sentence; it begins with "Correct" or "Plausible" when the answer passes.
``chapters/exercises/NAME.yml`` holds typical wrong answers to each exercise, with a part of the hint each must get.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import yaml

from tools import ROOT

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PLACEHOLDER = "...  # your code here"
PASSES = ("Correct", "Plausible")
SOLUTION = re.compile(
    r"^<details><summary>Solution</summary>\n\n```python\n(?P<code>.*?)\n```\n(?P<remarks>.*?)\n</details>(\n\n|\n?\Z)",
    re.MULTILINE | re.DOTALL,
)


class Exercise(NamedTuple):
    """One exercise; ``stub``, ``check`` and ``answer`` are positions of cells."""

    name: str
    stub: int
    check: int
    answer: int
    solution: str
    remarks: str


def cut(solution: str) -> str:
    """The solution without what stands between the marks. ValueError where the marks do not come in pairs."""
    kept, inside = [], False
    for line in solution.split("\n"):
        mark = line.strip()
        if mark not in (BEGIN, END):
            kept += [] if inside else [line]
        elif inside is (mark == BEGIN):
            raise ValueError(f"{mark!r} without its partner: write {BEGIN!r} ... {END!r} around what is to be cut")
        elif mark == BEGIN:
            inside = True
            kept.append(line.replace(BEGIN, PLACEHOLDER))
        else:
            inside = False
    if inside or len(kept) == solution.count("\n") + 1:
        raise ValueError(f"no {END!r} in the solution: write {BEGIN!r} ... {END!r} around what is to be cut")
    return "\n".join(kept)


def read(notebook: dict) -> list[Exercise]:
    """The exercises of a chapter (nbformat 4). ValueError where a stub has no check, or no solution."""
    cells = notebook["cells"]
    found = []
    for i, cell in enumerate(cells):
        if "exercise" not in cell["metadata"].get("tags", []):
            continue
        check, answer = cells[i + 1 : i + 3] if i + 2 < len(cells) else ({"metadata": {}}, {"source": ""})
        match = SOLUTION.search(answer["source"])
        if "self-check" not in check["metadata"].get("tags", []) or match is None:
            raise ValueError(f"cell {i}: a stub is followed by a self-check, and that by the folded solution")
        name = next(n.name for n in ast.parse(match["code"]).body if isinstance(n, ast.FunctionDef | ast.ClassDef))
        found.append(Exercise(name, i, i + 1, i + 2, match["code"], match["remarks"].strip()))
    return found


def write_stubs(notebook: dict) -> None:
    """Write every stub of a chapter anew from its solution. A stub has no output, so no output becomes untrue."""
    for exercise in read(notebook):
        notebook["cells"][exercise.stub]["source"] = cut(exercise.solution)


def typical_answers(chapter: str, root: Path = ROOT) -> dict[str, dict]:
    """For each exercise of a chapter: ``wrong`` (list of code and hint), and what a test needs to run the check.

    ``needs`` names what the chapter defines and the check uses; ``setup`` is code for cheap stand-ins of what the
    chapter computes with effort.
    """
    path = root / "chapters" / "exercises" / f"{chapter}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
