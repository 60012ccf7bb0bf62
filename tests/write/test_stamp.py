"""The stamp: address and version are changed in one place, and every file that shows them follows."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml

from tools import ROOT
from tools.address import Address, wanted
from tools.publish import package, steps
from tools.write import stamp

FORK = "https://github.com/someone/their-book"
STAMPED = {*stamp.TEXT_FILES, stamp.ZENODO, stamp.MODULE, "chapters/a_chapter.ipynb"}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A copy of every stamped file, without an address, with a chapter that was written by hand."""
    for name in ("pyproject.toml", *stamp.TEXT_FILES, stamp.ZENODO, stamp.MODULE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    project = tmp_path / "pyproject.toml"
    project.write_text(steps.set_address(project.read_text(), ""))
    chapter = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# A chapter\n\nText."), nbformat.v4.new_code_cell("pass")],
        metadata={"medgen": {"data": ["mitosis"]}},
    )
    (tmp_path / "chapters").mkdir(exist_ok=True)
    nbformat.write(chapter, tmp_path / "chapters" / "a_chapter.ipynb")
    stamp.update(tmp_path)
    return tmp_path


def fork(book: Path) -> None:
    """Another address and another version, and the archive that goes with them."""
    project = book / "pyproject.toml"
    text = steps.set_address(project.read_text(), FORK)
    project.write_text(re.sub(r'^version = ".*"', 'version = "7.8.9"', text, flags=re.MULTILINE))
    (book / package.RELEASE).parent.mkdir(exist_ok=True)
    (book / package.RELEASE).write_text('{"version": "7.8.9", "sha256": "abc"}')


def cells_of(book: Path) -> list[dict]:
    return json.loads((book / "chapters" / "a_chapter.ipynb").read_text())["cells"]


def set_up_of(notebook: dict) -> str:
    """The source of the set-up cell."""
    return "".join(next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["source"])


def test_everything_is_in_step_with_pyproject():
    assert stamp.update(write=False) == [], "run `make write`"


def test_a_fork_changes_one_place_and_stamps(book):
    fork(book)
    assert set(stamp.update(book)) == STAMPED
    for name in STAMPED - {stamp.MODULE}:
        text = (book / name).read_text()
        assert "github.com/someone/their-book" in text or "someone.github.io/their-book/" in text
    for name in ("CITATION.cff", stamp.ZENODO, stamp.MODULE, "chapters/how_to_cite.md"):
        assert "7.8.9" in (book / name).read_text()
    assert stamp.update(book) == []


def test_without_an_address_no_file_names_one(book):
    without = {name: (book / name).read_bytes() for name in STAMPED}
    fork(book)
    stamp.update(book)
    project = book / "pyproject.toml"
    version = f'version = "{wanted().version}"'
    project.write_text(
        re.sub(r'^version = ".*"', version, steps.set_address(project.read_text(), ""), flags=re.MULTILINE)
    )
    stamp.update(book)
    assert {name: (book / name).read_bytes() for name in STAMPED} == without
    for name in STAMPED:
        text = (book / name).read_text().replace("https://github.com/OWNER/NAME", "")
        assert not re.search(r"github\.com/|github\.io", text), name


def test_check_changes_nothing(book):
    fork(book)
    before = {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}
    assert stamp.update(book, write=False) != []
    assert before == {path: path.read_bytes() for path in book.rglob("*") if path.is_file()}


def test_a_chapter_of_a_published_book_has_links_and_an_archive_with_its_checksum(book):
    fork(book)
    stamp.update(book)
    title, setup = cells_of(book)
    assert "".join(title["source"]).startswith("# A chapter\n\n[Open in Colab](https://colab.research.google.com/")
    assert "".join(title["source"]).endswith("\n\nText.")
    assert f"{FORK}/releases/download/v7.8.9/medgen_utils.zip#sha256=abc\n" in "".join(setup["source"])
    assert setup["metadata"]["tags"] == ["hide-input"]


def test_a_chapter_without_an_address_has_no_link_and_installs_an_uploaded_file(book):
    title, setup = cells_of(book)
    assert "".join(title["source"]) == "# A chapter\n\nText."
    assert "--no-deps ./medgen_utils.zip\n" in "".join(setup["source"])
    assert "http" not in "".join(setup["source"])
    assert 'setup("a_chapter", data=("mitosis",))' in "".join(setup["source"])


def test_no_chapter_is_stamped_with_an_archive_of_another_version(book):
    fork(book)
    (book / package.RELEASE).write_text('{"version": "7.8.8", "sha256": "abc"}')
    with pytest.raises(ValueError, match=r"7\.8\.8, not 7\.8\.9"):
        stamp.update(book)


def test_a_file_that_lost_its_block_is_named(book):
    with pytest.raises(ValueError, match="restore the lines"):
        stamp.stamp_text("no block", Address("", "1.0"))
    with pytest.raises(ValueError, match="other"):
        stamp.stamp_text("<!-- stamp: other -->\n<!-- stamp: end -->\n", Address("", "1.0"))


def test_a_chapter_may_name_packages_that_its_set_up_installs_on_colab():
    address = Address("someone/their-book", "7.8.9")
    plain, more = (stamp.setup_source("a", [], address, packages, "abc") for packages in ([], ["weights==0.1.0"]))
    line = "    %pip install -q --no-deps weights==0.1.0\n"
    assert line in more and more.replace(line, "") == plain


def test_citation_and_zenodo_say_the_same(book):
    fork(book)
    stamp.update(book)
    cited = yaml.safe_load((book / "CITATION.cff").read_text())
    record = json.loads((book / stamp.ZENODO).read_text())
    assert {key: record[key] for key in ("title", "version", "keywords", "license")} == {
        key: cited[key] for key in ("title", "version", "keywords", "license")
    }
    assert record["version"] == "7.8.9" and cited["repository-code"] == FORK
    assert cited["url"] in {work["identifier"] for work in record["related_identifiers"]}
    assert cited["references"][0]["doi"] in {work["identifier"] for work in record["related_identifiers"]}
