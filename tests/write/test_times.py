"""Times follow from what a chapter holds, and cards say what the rule says."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.write import times

CARD = "# A chapter\n\n**Time.** 1 minutes to read, about 1 minute to run in fast mode and 9 minutes in full mode."
PAGE = f"# For teachers\n\n{times.BEGIN}\n\n{times.END}\n"


def chapter(words=0, figures=0, lines=0, seconds=None):
    picture = new_output("display_data", {"image/png": "x"})
    cells = [new_markdown_cell(CARD), new_markdown_cell("word " * words)]
    cells += [new_code_cell("x", outputs=[picture], metadata={"tags": ["remove-input"]}) for _ in range(figures)]
    cells += [new_code_cell("a = 1\n" * (lines - 1) + "a")] if lines else []
    made = {} if seconds is None else {"medgen": {"executed": {"seconds": seconds}}}
    return new_notebook(cells=cells, metadata=made)


@pytest.fixture
def book(tmp_path):
    folder = tmp_path / "chapters" / "teaching"
    folder.mkdir(parents=True)
    (folder / "index.md").write_text(PAGE)
    parts = [{"caption": "all", "chapters": [{"file": "chapters/one"}, {"file": "chapters/page"}]}]
    (tmp_path / "_toc.yml").write_text(json.dumps({"parts": parts}))
    (tmp_path / "chapters" / "one.ipynb").write_text(json.dumps(chapter(words=3000, seconds=330)))
    return tmp_path


def test_words_figures_and_code_each_take_their_time():
    base = times.measure(chapter()).read
    assert base == times.STEP
    assert times.measure(chapter(words=30 * times.WORDS)).read == 30
    assert times.measure(chapter(figures=60)).read == 30
    assert times.measure(chapter(lines=450)).read == 30
    found = times.measure(chapter(words=10, figures=2, lines=3, seconds=100))
    assert (found.figures, found.lines, found.run) == (2, 3, 2)


def test_cards_and_the_table_for_teachers_are_brought_in_step(book):
    assert times.update(book, write=False) == ["chapters/one.ipynb", "chapters/teaching/index.md"]
    times.update(book)
    card = "".join(json.loads((book / "chapters" / "one.ipynb").read_text())["cells"][0]["source"])
    assert "**Time.** 20 minutes to read" in card and "6 minutes in full mode" in card
    assert "| [A chapter](../one.ipynb) | 3,0" in (book / "chapters" / "teaching" / "index.md").read_text()
    assert times.update(book) == []


def test_a_card_without_a_time_and_a_page_without_a_place_are_named(book):
    (book / "chapters" / "teaching" / "index.md").write_text("# For teachers")
    with pytest.raises(ValueError, match=r"index\.md has no place"):
        times.update(book)
    (book / "chapters" / "one.ipynb").write_text(json.dumps(new_notebook(cells=[new_markdown_cell("# A chapter")])))
    with pytest.raises(ValueError, match=r"one\.ipynb.*minutes to read"):
        times.update(book)
