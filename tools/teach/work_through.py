"""Work through a student notebook as a student would: ``python -m tools.teach.work_through [NAME ...]``.

It needs what `make teach` wrote.

The notebook runs from top to bottom in a fresh kernel, in the mode of MEDGEN_MODE (fast unless set). At each exercise
the stub runs first, and its check must not pass; then the answer of the solution notebook takes its place, and the
check must pass. Ends with exit status 1 at the first check that does otherwise; a cell that fails raises.
"""

import sys
import time

import nbformat
from nbclient import NotebookClient

from medgen_utils.exercises.feedback import PASSES
from tools import ROOT

FOLDER = ROOT / "_build" / "teach"
CELL_TIMEOUT = 1800  # seconds, as in `tools.execute`: the machine may be busy


def verdict(cell: nbformat.NotebookNode) -> str:
    """What a self-check said."""
    return cell.outputs[-1].data["text/plain"]


def work_through(student: nbformat.NotebookNode, solution: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """Run the student notebook; for each exercise its name, what the check says of the stub and of the solution."""
    client = NotebookClient(student, timeout=CELL_TIMEOUT, kernel_name="python3")
    said = []
    with client.setup_kernel():
        for i, cell in enumerate(student.cells):
            client.execute_cell(cell, i)
            if "self-check" in cell.metadata.get("tags", []):
                of_stub = verdict(cell)
                student.cells[i - 1].source = solution.cells[i - 1].source
                for position in (i - 1, i):
                    client.execute_cell(student.cells[position], position)
                said.append((solution.cells[i - 1].metadata.nbgrader.grade_id, of_stub, verdict(cell)))
    return said


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in (FOLDER / "student").glob("*.ipynb")):
        started = time.perf_counter()
        student, solution = (nbformat.read(FOLDER / kind / f"{name}.ipynb", 4) for kind in ("student", "solution"))
        for exercise, of_stub, of_solution in work_through(student, solution):
            print(f"{name}, {exercise}\n  stub:     {of_stub}\n  solution: {of_solution}", flush=True)
            if of_stub.startswith(PASSES) or not of_solution.startswith(PASSES):
                sys.exit(f"{name}, {exercise}: the check does not tell the stub from the solution")
        print(f"{name}: worked through in {time.perf_counter() - started:.0f} s", flush=True)
