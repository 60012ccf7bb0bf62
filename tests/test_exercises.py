"""Every self-check of every chapter tells right from wrong: the solution passes, the stub and typical mistakes do not.

A check runs with the chapter's imports, the definitions it needs and cheap stand-ins for what the chapter computes
(``needs`` and ``setup`` in chapters/exercises/NAME.yml): nobody has to train the chapter's networks for it.
"""

import ast
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from tools.teach import exercises

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "chapters").glob("*.ipynb"))}
EXERCISES = {name: {e.name: e for e in exercises.read(notebook)} for name, notebook in NOTEBOOKS.items()}
TYPICAL = {name: exercises.typical_answers(name) for name in NOTEBOOKS}
every_exercise = pytest.mark.parametrize(
    ("chapter", "name"), [(chapter, name) for chapter, found in EXERCISES.items() for name in found]
)
every_mistake = pytest.mark.parametrize(
    ("chapter", "name", "number"),
    [
        (chapter, name, number)
        for chapter, found in EXERCISES.items()
        for name in found
        for number in range(len(TYPICAL[chapter].get(name, {}).get("wrong", [])))
    ],
)


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


def fresh_namespace(chapter: str, name: str) -> dict:
    """What the exercise finds when the notebook has been run down to it."""
    typical = TYPICAL[chapter].get(name, {})
    context = SimpleNamespace(steps=60, seeds=(0,), mode="fast", pick=lambda fast, full: fast)
    namespace = {"ctx": context, "__name__": chapter}
    cells = NOTEBOOKS[chapter].cells[: EXERCISES[chapter][name].stub]
    exec(definitions(cells, typical.get("needs", [])), namespace)
    exec(typical.get("setup", ""), namespace)
    return namespace


prepared = cache(fresh_namespace)  # training a stand-in once is enough; answers and checks go into a copy of it


def says(chapter: str, name: str, answer: str) -> str:
    """What the self-check says about this answer."""
    namespace = dict(prepared(chapter, name))
    exec(answer, namespace)
    *body, call = ast.parse(NOTEBOOKS[chapter].cells[EXERCISES[chapter][name].check].source).body
    exec(compile(ast.Module(body, []), "check", "exec"), namespace)
    return eval(compile(ast.Expression(call.value), "check", "eval"), namespace)


@every_exercise
def test_the_solution_passes(chapter, name):
    assert says(chapter, name, EXERCISES[chapter][name].solution).startswith(exercises.PASSES)


@every_exercise
def test_the_stub_fails_with_the_message_that_the_page_shows(chapter, name):
    exercise = EXERCISES[chapter][name]
    notebook = NOTEBOOKS[chapter]
    message = says(chapter, name, notebook.cells[exercise.stub].source)
    assert message.startswith("Nothing returned yet: ")
    (output,) = notebook.cells[exercise.check].outputs
    assert ast.literal_eval(output.data["text/plain"]) == message


@every_mistake
def test_a_typical_mistake_fails_with_the_right_hint(chapter, name, number):
    wrong = TYPICAL[chapter][name]["wrong"][number]
    message = says(chapter, name, wrong["code"])
    assert not message.startswith(exercises.PASSES)
    assert wrong["hint"] in message


@every_exercise
def test_two_typical_mistakes_are_known(chapter, name):
    assert len(TYPICAL[chapter][name]["wrong"]) >= 2


@pytest.mark.parametrize("chapter", NOTEBOOKS)
def test_typical_mistakes_belong_to_exercises_of_the_chapter(chapter):
    assert set(TYPICAL[chapter]) == set(EXERCISES[chapter])


@every_exercise
def test_the_stub_is_cut_from_the_solution(chapter, name):
    exercise = EXERCISES[chapter][name]
    assert NOTEBOOKS[chapter].cells[exercise.stub].source == exercises.cut(exercise.solution), "run `make write`"


def test_cut_takes_out_what_stands_between_the_marks():
    solution = "def f(x):\n    y = x\n    ### BEGIN SOLUTION\n    z = y\n    return z\n    ### END SOLUTION"
    assert exercises.cut(solution) == "def f(x):\n    y = x\n    ...  # your code here"


@pytest.mark.parametrize(
    "solution",
    ["x = 1", "### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION"],
    ids=["no marks", "no end", "no begin", "begin twice"],
)
def test_cut_refuses_marks_without_partner(solution):
    with pytest.raises(ValueError, match="SOLUTION"):
        exercises.cut(solution)
