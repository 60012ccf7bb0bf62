"""The cells of an exercise follow from its master: stub, check with the output it has, hints and solution."""

import nbformat
import pytest

from medgen_utils.exercises import check
from tests.exercises.asking import FOUND, MASTERS, NOTEBOOKS, answer, ask
from tools.teach import exercises

every_exercise = pytest.mark.parametrize("key", FOUND)


def cells_of(key: str) -> list:
    """The cells of the stub, the check and the answer."""
    chapter, found = FOUND[key]
    return [NOTEBOOKS[chapter].cells[position] for position in (found.stub, found.check, found.answer)]


@every_exercise
def test_the_stub_is_cut_from_the_solution_and_short(key):
    stub = cells_of(key)[0].source
    assert stub == exercises.cut(FOUND[key][1].solution), "run `make write`"
    lines = stub.split("\n")
    assert len(lines) <= (6 if stub.startswith("class") else 5)
    assert max(map(len, lines)) <= 78


@every_exercise
def test_the_page_shows_what_the_check_says_to_the_stub(key):
    _, shown, _ = cells_of(key)
    said = ask(key, answer(key, cells_of(key)[0].source), hint=None)
    assert said.text.startswith("Not started yet: ")
    (output,) = shown.outputs
    assert output.data == {"text/markdown": said.text, "text/plain": repr(said)}
    assert output.execution_count == shown.execution_count


@every_exercise
def test_the_check_is_one_line(key):
    _, shown, _ = cells_of(key)
    assert shown.source.startswith(f'check("{key}", {FOUND[key][1].name}')
    assert "\n" not in shown.source
    assert len(shown.source) <= 78


@every_exercise
def test_readers_see_the_solution_without_marks_and_a_fold_for_each_hint(key):
    *_, folded = cells_of(key)
    assert "SOLUTION" not in folded.source
    assert f"```python\n{exercises.plain(FOUND[key][1].solution)}\n```" in folded.source
    assert folded.source.count("int</summary>") == exercises.hints(FOUND[key][1]).count("</details>") >= 2


def test_masters_and_cells_belong_together():
    assert all(len(MASTERS[chapter]) == 3 for chapter in NOTEBOOKS)
    assert {chapter for chapter, _ in FOUND.values()} == set(NOTEBOOKS)


def small_notebook(*tags: str) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell("x", metadata={"tags": [tag]}, execution_count=4) for tag in tags]
    return nbformat.v4.new_notebook(cells=cells)


MASTER = {
    "gap.1": {
        "solution": "def f(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n",
        "remarks": "A remark.\n",
        "wrong": [],
    }
}


def test_cells_are_written_from_the_master():
    notebook = small_notebook("exercise", "self-check", "answer")
    exercises.write_cells(notebook, MASTER)
    stub, shown, folded = notebook.cells
    assert stub.source == "def f(x):\n    ...  # your code here"
    assert shown.source == 'check("gap.1", f)'
    assert shown.outputs[0].data["text/markdown"] == check("gap.1", None).text
    assert folded.source.endswith("```python\ndef f(x):\n    return 2 * x\n```\n\nA remark.\n\n</details>")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ((), "0 cells"),
        (("exercise", "self-check", "answer", "exercise"), "2 cells"),
        (("exercise", "answer", "self-check"), "cell 0, gap.1"),
        (("exercise", "self-check"), "cell 0, gap.1"),
    ],
)
def test_cells_that_do_not_match_the_master_are_refused(tags, said):
    with pytest.raises(ValueError, match=said):
        exercises.read(small_notebook(*tags), MASTER)


def test_cut_takes_out_what_stands_between_the_marks():
    solution = "def f(x):\n    y = x\n    ### BEGIN SOLUTION\n    z = y\n    return z\n    ### END SOLUTION"
    assert exercises.cut(solution) == "def f(x):\n    y = x\n    ...  # your code here"
    assert exercises.plain(solution) == "def f(x):\n    y = x\n    z = y\n    return z"


@pytest.mark.parametrize(
    "solution",
    ["x = 1", "### BEGIN SOLUTION\nx = 1", "x = 1\n### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION"],
    ids=["no marks", "no end", "no begin", "begin twice"],
)
def test_cut_refuses_marks_without_partner(solution):
    with pytest.raises(ValueError, match="SOLUTION"):
        exercises.cut(solution)
