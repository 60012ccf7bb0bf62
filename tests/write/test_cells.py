"""Cells with a master elsewhere, quizzes and stubs, follow it; nothing else in a chapter changes."""

import nbformat
import pytest

from tests.teach.test_quizzes import quiz_file
from tools.write import cells


def test_chapters_show_their_quizzes_and_stubs():
    assert cells.update(write=False) == [], "run `make write`"


def test_a_changed_quiz_reaches_its_cell_and_nothing_else(tmp_path):
    quiz_file(tmp_path)
    before = [nbformat.v4.new_markdown_cell(text) for text in ("# T", "### Predict first\n\nOld", "## Part")]
    path = tmp_path / "chapters" / "x.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=before), path)
    assert cells.update(tmp_path, write=False) == cells.update(tmp_path) == ["chapters/x.ipynb"]
    after = nbformat.read(path, as_version=4).cells
    assert [after[0], after[2]] == [before[0], before[2]]
    assert after[1].source.startswith(
        "### Predict first\n\nWhat?\n\n<details><summary>A. a</summary>\n\nfa\n\n</details>"
    )
    assert cells.update(tmp_path) == []


def test_a_block_without_its_cell_is_refused(tmp_path):
    quiz_file(tmp_path)
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "chapters" / "x.ipynb")
    with pytest.raises(ValueError, match="0 cells begin with '### Predict first'"):
        cells.update(tmp_path)
