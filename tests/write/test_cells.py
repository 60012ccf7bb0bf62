"""Cells with a master elsewhere, quizzes and stubs, follow it; nothing else in a chapter changes."""

import nbformat
import pytest

from medgen_utils.figures import schematic
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


def test_the_words_of_a_drawing_are_the_alt_text_of_its_cell(tmp_path):
    data, metadata = schematic("four-ways-to-test")._repr_mimebundle_()
    shown = nbformat.v4.new_output("display_data", data, metadata=metadata)
    plain = nbformat.v4.new_output("display_data", {"image/png": "x"})
    code = [nbformat.v4.new_code_cell("x", outputs=[output]) for output in (shown, plain)]
    path = tmp_path / "chapters" / "x.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=code), path)
    assert cells.update(tmp_path) == ["chapters/x.ipynb"]
    first, second = nbformat.read(path, as_version=4).cells
    assert first.metadata["mystnb"]["image"]["alt"] == schematic("four-ways-to-test").alt and not second.metadata
    assert cells.update(tmp_path) == []


def test_a_block_without_its_cell_is_refused(tmp_path):
    quiz_file(tmp_path)
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "chapters" / "x.ipynb")
    with pytest.raises(ValueError, match="0 cells begin with '### Predict first'"):
        cells.update(tmp_path)
