"""Runs a check as a reader of the chapter would, without the chapter: for tests of exercises.

An answer finds the chapter's imports, the definitions it needs and cheap stand-ins for what the chapter computes
(``needs`` and ``setup`` in chapters/exercises/NAME.yml): nobody has to train the chapter's networks for it.
"""

import ast
from functools import cache
from types import SimpleNamespace

import nbformat

from medgen_utils.exercises import check
from medgen_utils.exercises.checks import find
from medgen_utils.exercises.feedback import Feedback
from tools import ROOT
from tools.teach import exercises

NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
MASTERS = {chapter: exercises.masters(chapter) for chapter in NOTEBOOKS}
FOUND = {
    e.key: (chapter, e) for chapter, notebook in NOTEBOOKS.items() for e in exercises.read(notebook, MASTERS[chapter])
}


def bound_names(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top level of a notebook gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


def definitions(cells: list, needs: list[str]) -> str:
    """The imports of these cells, and the last statement that binds each of the needed names."""
    code = [cell.source for cell in cells if cell.cell_type == "code" and "%pip" not in cell.source]
    statements = [statement for source in code for statement in ast.parse(source).body]
    last = {name: statement for statement in statements for name in bound_names(statement) & set(needs)}
    assert set(last) == set(needs), f"the chapter does not define {set(needs) - set(last)}"
    kept = [s for s in statements if isinstance(s, ast.Import | ast.ImportFrom) or s in last.values()]
    return "\n".join(ast.unparse(statement) for statement in kept)


@cache  # training a stand-in once is enough; answers go into a copy of it
def prepared(key: str) -> dict:
    """What the exercise finds when the notebook has been run down to it."""
    chapter, exercise = FOUND[key]
    master = MASTERS[chapter][key]
    context = SimpleNamespace(steps=60, seeds=(0,), mode="fast", pick=lambda fast, full: fast)
    namespace = {"ctx": context, "__name__": chapter}
    exec(definitions(NOTEBOOKS[chapter].cells[: exercise.stub], master.get("needs", [])), namespace)
    exec(master.get("setup", ""), namespace)
    return namespace


def answer(key: str, code: str):
    """The function or class of this code, in the chapter's namespace."""
    namespace = dict(prepared(key))
    exec(code, namespace)
    return namespace[FOUND[key][1].name]


def ask(key: str, given, hint: int | None = 0) -> Feedback:
    """What the check says, with what it needs of the chapter."""
    return check(key, given, hint=hint, **{name: prepared(key)[name] for name in find(key).needs()})
