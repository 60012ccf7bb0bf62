"""Notebooks are run and stored whole, or left as they were; one whose data are not here is skipped as a test."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tools import ROOT, execute


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
