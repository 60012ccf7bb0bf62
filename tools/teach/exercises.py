"""The exercises of a chapter: ``chapters/exercises/NAME.yml`` holds the solutions, from which cells are written.

In a chapter an exercise is, in this order: the task (Markdown, written in the notebook), and three cells that `make
write` fills: the stub (tag ``exercise``), its check (tag ``self-check``) and the folded hints and solution (Markdown,
tag ``answer``). The exercises of a file stand in the order of the chapter::

    gap.1:                                the name that the check knows: `medgen_utils.exercises`
      solution: |                         the complete cell, with the usual marks
        def f(x):
            \"\"\"What it returns.\"\"\"
            ### BEGIN SOLUTION
            return 2 * x
            ### END SOLUTION
      remarks: |                          what stands below the solution, if anything
      needs: [a, b]                       for the tests: what the chapter defines and the answers use, and
      setup: |                            cheap stand-ins of what the chapter computes with effort
      wrong:                              typical wrong answers, with a part of what the check must say to each
        - {mistake: ..., code: ..., hint: ...}

What stands between the marks is cut and replaced by ``...  # your code here``: that is the stub. Readers see the
solution without the marks. The marks are those of nbgrader, and only the solution notebooks of ``make teach`` keep
them. The hints stand in `medgen_utils.exercises`, beside the check that gives them.
"""

import ast
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

from medgen_utils.exercises.checks import find, not_started
from tools import ROOT

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PLACEHOLDER = "...  # your code here"
FOLLOWING = ("self-check", "answer")
NONE = {"metadata": {}}  # in the place of a cell where the notebook ends too early
ORDINALS = ("Hint", "Second hint", "Third hint", "Fourth hint")


class Exercise(NamedTuple):
    """One exercise; ``stub``, ``check`` and ``answer`` are positions of cells.

    ``key`` is what the check knows ("gap.1"), ``name`` that of the function or class which is asked for.
    """

    key: str
    name: str
    stub: int
    check: int
    answer: int
    solution: str
    remarks: str
    wrong: list[dict[str, str]]


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


def plain(solution: str) -> str:
    """The solution without its marks, as readers see it."""
    return "\n".join(line for line in solution.split("\n") if line.strip() not in (BEGIN, END))


def masters(chapter: str, root: Path = ROOT) -> dict[str, dict]:
    """What ``chapters/exercises`` holds of a chapter; the module's text explains the keys."""
    path = root / "chapters" / "exercises" / f"{chapter}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def read(notebook: dict, chapter: dict[str, dict]) -> list[Exercise]:
    """The exercises of a notebook (nbformat 4) with its `masters`. ValueError where cells and masters differ."""
    cells = notebook["cells"]
    stubs = [i for i, cell in enumerate(cells) if _has(cell, "exercise")]
    if len(stubs) != len(chapter):
        raise ValueError(
            f"{len(stubs)} cells with the tag 'exercise', and the file holds {', '.join(chapter) or 'none'}"
        )
    found = []
    for i, (key, master) in zip(stubs, chapter.items(), strict=True):
        if not all(_has(cell, tag) for cell, tag in zip([*cells[i + 1 : i + 3], NONE, NONE], FOLLOWING, strict=False)):
            raise ValueError(f"cell {i}, {key}: a stub is followed by cells with the tags {' and '.join(FOLLOWING)}")
        solution = master["solution"].rstrip("\n")
        name = next(n.name for n in ast.parse(solution).body if isinstance(n, ast.FunctionDef | ast.ClassDef))
        remarks = master.get("remarks", "").strip()
        found.append(Exercise(key, name, i, i + 1, i + 2, solution, remarks, master["wrong"]))
    return found


def _has(cell: dict, tag: str) -> bool:
    return tag in cell["metadata"].get("tags", [])


def call(exercise: Exercise) -> str:
    """The line that checks an answer."""
    context = "".join(f", {name}={name}" for name in find(exercise.key).needs())
    return f'check("{exercise.key}", {exercise.name}{context})'


def hints(exercise: Exercise) -> str:
    """The hints, each one folded."""
    return "\n".join(
        f"<details><summary>{ordinal}</summary>\n\n{hint}\n\n</details>"
        for ordinal, hint in zip(ORDINALS, find(exercise.key).hints, strict=False)
    )


def answer(exercise: Exercise) -> str:
    """What stands below the check on the page: hints and solution, folded."""
    remarks = f"\n\n{exercise.remarks}" if exercise.remarks else ""
    solution = f"```python\n{plain(exercise.solution)}\n```{remarks}"
    return f"{hints(exercise)}\n<details><summary>Solution</summary>\n\n{solution}\n\n</details>"


def write_cells(notebook: nbformat.NotebookNode, chapter: dict[str, dict]) -> None:
    """Write stub, check and answer of each exercise anew.

    The stored output of a check becomes what it says to the stub: it is known without running the chapter.
    """
    for exercise in read(notebook, chapter):
        cells = notebook["cells"]
        cells[exercise.stub]["source"] = cut(exercise.solution)
        cells[exercise.answer]["source"] = answer(exercise)
        check, said = cells[exercise.check], not_started(exercise.key)
        data = {"text/markdown": said.text, "text/plain": repr(said)}
        check["source"] = call(exercise)
        check["outputs"] = [nbformat.v4.new_output("execute_result", data, execution_count=check["execution_count"])]
