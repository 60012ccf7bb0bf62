"""The tools: the stamp, the notebook runner, the skipping of notebooks without data, the commands, the requirements."""

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tools import execute
from tools.address import Address, wanted
from tools.write import stamp

ROOT = Path(__file__).resolve().parent.parent


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


@pytest.mark.parametrize("address", ["https://example.org/book", "https://github.com/owner", "github.com/a/b"])
def test_an_address_that_is_no_repository_is_refused(book, address):
    project = book / "pyproject.toml"
    project.write_text(re.sub(r'Repository = ".*"', f'Repository = "{address}"', project.read_text()))
    with pytest.raises(ValueError, match="OWNER/NAME"):
        wanted(book)


def test_package_and_project_have_the_same_version():
    import medgen_utils

    assert medgen_utils.__version__ == wanted().version


def notebook_file(folder: Path, *cells: str, **metadata) -> Path:
    path = folder / "a_chapter.ipynb"
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_execute_stores_outputs_and_how_they_were_made(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDGEN_MODE", "full")
    path = notebook_file(tmp_path, "print(6 * 7)")
    execute.execute(path)
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[0].outputs[0].text == "42\n"
    assert notebook.metadata.medgen.executed.mode == "full"
    assert {"seconds", "torch", "python", "date"} <= set(notebook.metadata.medgen.executed)
    assert list(tmp_path.iterdir()) == [path]


def test_execute_leaves_a_failing_notebook_as_it_was(tmp_path):
    path = notebook_file(tmp_path, "print(1)", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        execute.execute(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("data", "skipped"), [(["clinic"], False), (["clinic", "mitosis"], True)])
def test_a_notebook_without_its_data_is_skipped_with_the_reason(tmp_path, monkeypatch, data, skipped):
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    path = notebook_file(tmp_path, "print(1)", medgen={"data": data})
    shutil.copy(ROOT / "conftest.py", tmp_path)
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-rs", "-p", "no:cacheprovider"]
    result = subprocess.run([*command, str(path)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ("a_chapter.ipynb needs mitosis" in result.stdout) is skipped
    assert ("1 skipped" if skipped else "1 passed") in result.stdout


def test_an_old_or_missing_python_is_named_at_once(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    result = subprocess.run(["make", "PYTHON=false", "book"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed" in result.stdout
    assert not (tmp_path / ".venv").exists()


def test_help_lists_every_command():
    makefile = (ROOT / "Makefile").read_text()
    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in result.stdout.splitlines() if line and not line.startswith("make")}
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    assert listed == phony - {"site"}


def test_the_script_of_continuous_integration_is_sound():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def requirements(name: str) -> dict[str, str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = (re.match(r"([A-Za-z0-9._-]+)(.*)", line) for line in lines if line and not line.startswith("-"))
    return {match[1].lower().replace("_", "-"): match[2] for match in found}


@pytest.mark.parametrize("package", ["torch", "torchvision", "numpy", "ipywidgets"])
def test_colab_keeps_what_it_has(package):
    assert re.fullmatch(r">=[\d.]+", requirements("requirements.txt")[package])


def test_constraints_pin_every_requirement():
    needed = requirements("requirements.txt") | requirements("requirements-dev.txt")
    assert set(needed) <= set(requirements("constraints.txt"))


def test_constraints_install_on_the_oldest_python_we_support():
    pinned = requirements("constraints.txt")
    refused = {
        package.name: package.metadata.get("Requires-Python")
        for package in distributions()
        if pinned.get(package.name.lower().replace("_", "-")) == f"=={package.version}"
        and not SpecifierSet(package.metadata.get("Requires-Python") or "").contains("3.11.0")
    }
    assert refused == {}


def test_citation_file_names_the_book_and_the_review():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license", "repository-code"} <= set(citation)
    assert citation["references"][0]["doi"] == "10.1016/j.compbiomed.2024.109256"
