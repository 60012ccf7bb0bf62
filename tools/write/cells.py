"""Write into the chapters what has its master elsewhere: quizzes (chapters/quizzes), exercises (chapters/exercises).

Of these cells only the check of an exercise has an output, what it says to the stub, and that is written with it: so
no stored output becomes untrue.
"""

import copy
from pathlib import Path

import nbformat

from tools import ROOT
from tools.teach import exercises, quizzes
from tools.write import in_step


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring every chapter in step; the names of those that were not. With ``write=False`` nothing is changed."""
    wanted = {}
    for path in sorted(root.glob("chapters/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = copy.deepcopy(notebook)
        exercises.write_cells(notebook, exercises.masters(path.stem, root))
        quizzes.write_cells(notebook, quizzes.read(path.stem, root))
        if notebook != before:
            wanted[path] = nbformat.writes(notebook) + "\n"
    return in_step.write_changed(wanted, root, write)
