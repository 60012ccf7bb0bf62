"""Write into the chapters what has its master elsewhere: quiz cells (chapters/quizzes), stubs (folded solutions).

``python tools/derive.py`` writes (`make stamp`), ``--check`` changes nothing, names the chapters that are out of step
and ends with exit status 1 (`make lint`). Neither kind of cell has an output, so no stored output becomes untrue.
"""

import sys
from pathlib import Path

import exercises
import nbformat
import quizzes

ROOT = Path(__file__).resolve().parent.parent


def derive(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring every chapter in step; the names of those that were not. With ``write=False`` nothing is changed."""
    changed = []
    for path in sorted(root.glob("chapters/*.ipynb")):
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        exercises.write_stubs(notebook)
        quizzes.write_cells(notebook, quizzes.read(path.stem, root))
        if notebook != nbformat.reads(before, as_version=4):
            changed.append(str(path.relative_to(root)))
            if write:
                nbformat.write(notebook, path)
    return changed


if __name__ == "__main__":
    check = "--check" in sys.argv[1:]
    names = derive(write=not check)
    if names:
        print("Quiz or stub out of step (run `make stamp`):" if check else "Derived:", *names, sep="\n  ")
    sys.exit(1 if check and names else 0)
