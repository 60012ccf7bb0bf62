"""Write into the chapters what has its master elsewhere: quizzes (chapters/quizzes), exercises (chapters/exercises),
and the words that a drawing brings along in its output, as the alt text of its cell.

Of these cells only the check of an exercise has an output, what it says to the stub, and that is written with it: so
no stored output becomes untrue.
"""

import copy
from pathlib import Path

import nbformat

from tools import ROOT
from tools.teach import exercises, quizzes
from tools.write import in_step


def write_alts(notebook: nbformat.NotebookNode) -> None:
    """What an output says of its picture becomes ``mystnb.image.alt`` of its cell, where other readers look for it."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            words = [part["alt"] for part in output.get("metadata", {}).values() if "alt" in part]
            if words:
                cell.metadata.setdefault("mystnb", {}).setdefault("image", {})["alt"] = words[0]


def update(root: Path = ROOT, write: bool = True) -> list[str]:
    """Bring every chapter in step; the names of those that were not. With ``write=False`` nothing is changed."""
    wanted = {}
    for path in sorted(root.glob("chapters/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        before = copy.deepcopy(notebook)
        exercises.write_cells(notebook, exercises.masters(path.stem, root))
        quizzes.write_cells(notebook, quizzes.read(path.stem, root))
        write_alts(notebook)
        if notebook != before:
            wanted[path] = nbformat.writes(notebook) + "\n"
    return in_step.write_changed(wanted, root, write)
