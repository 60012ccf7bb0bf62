"""The stamp: a fork changes one line, and every file that shows address or version follows."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

from tools import ROOT
from tools.address import Address, wanted
from tools.write import stamp


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A copy of every stamped file, with a chapter that was written by hand."""
    for name in ("pyproject.toml", *stamp.TEXT_FILES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    chapter = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A chapter\n\nText."), nbformat.v4.new_code_cell("pass")],
        metadata={"medgen": {"data": ["mitosis"]}},
    )
    nbformat.write(chapter, tmp_path / "chapters" / "a_chapter.ipynb")
    return tmp_path


def fork(book: Path) -> None:
    project = book / "pyproject.toml"
    text = re.sub(r'Repository = ".*"', 'Repository = "https://github.com/someone/their-book"', project.read_text())
    project.write_text(re.sub(r'^version = ".*"', 'version = "7.8.9"', text, flags=re.MULTILINE))


def test_everything_is_in_step_with_pyproject():
    assert stamp.update(write=False) == [], "run `make write`"


def test_a_fork_changes_one_line_and_stamps(book):
    old = wanted(book).slug
    fork(book)
    assert set(stamp.update(book)) == {*stamp.TEXT_FILES, "chapters/a_chapter.ipynb"}
    for name in stamp.TEXT_FILES:
        text = (book / name).read_text()
        assert f"github.com/{old}" not in text
        assert "github.com/someone/their-book" in text or "someone.github.io/their-book/" in text
    assert stamp.stamped(book) == Address("someone/their-book", "7.8.9")
    assert stamp.update(book) == []


def test_check_changes_nothing(book):
    fork(book)
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    assert stamp.update(book, write=False) != []
    assert before == {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}


def test_stamped_chapter_has_links_and_set_up(book):
    stamp.update(book)
    cells = json.loads((book / "chapters" / "a_chapter.ipynb").read_text())["cells"]
    assert "".join(cells[0]["source"]).startswith("# A chapter\n\n[Open in Colab](https://colab.research.google.com/")
    assert "".join(cells[0]["source"]).endswith("\n\nText.")
    assert 'setup("a_chapter", data=("mitosis",))' in "".join(cells[1]["source"])
    assert cells[1]["metadata"]["tags"] == ["hide-input"]


def test_a_chapter_may_name_packages_that_its_set_up_installs_on_colab():
    address = Address("someone/their-book", "7.8.9")
    plain, more = (stamp.setup_source("a", [], address, packages) for packages in ([], ["weights==0.1.0"]))
    line = "    %pip install -q --no-deps weights==0.1.0\n"
    assert line in more and more.replace(line, "") == plain
