"""What people meet on machines that are not ours: each message is one sentence that says what to do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medgen_utils.data import DataUnavailable, prepared
from tools import ROOT, data

PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]


def run(*command: str, folder: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def test_a_wrong_medgen_data_is_one_line_under_pytest():
    result = run(*PYTEST, "tests/test_address.py", MEDGEN_DATA="/no/such/folder")
    said = result.stdout + result.stderr
    assert result.returncode != 0 and "MEDGEN_DATA='/no/such/folder' is not a folder" in said
    assert "INTERNALERROR" not in said and "Traceback" not in said and len(said.splitlines()) < 6


@pytest.fixture
def chapter(tmp_path) -> Path:
    """A folder with the rules of notebooks as tests and a chapter whose data nobody has here."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "outputs": [], "execution_count": 1}
    notebook = {
        "cells": [cell],
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"medgen": {"data": ["colon-centres"]}},
    }
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    return tmp_path


def test_a_chapter_without_its_data_is_skipped_or_where_that_is_asked_for_an_error(chapter):
    nothing = {"MEDGEN_DATA": str(chapter), "XDG_CACHE_HOME": str(chapter), "PYTHONPATH": str(ROOT)}
    command = (*PYTEST, "-rs", "--nbval-lax", "--nbval-current-env", "a.ipynb")
    skipped = run(*command, folder=chapter, **nothing)
    assert skipped.returncode == 0 and "a.ipynb needs colon-centres" in skipped.stdout
    refused = run(*command, folder=chapter, MEDGEN_REQUIRE_DATA="1", **nothing)
    said = refused.stdout + refused.stderr
    assert refused.returncode != 0 and "run `make data`" in said and "INTERNALERROR" not in said


def test_a_cache_that_cannot_be_written_is_named_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "medgen").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    with pytest.raises(DataUnavailable, match=r"a\.zip cannot be kept: .*XDG_CACHE_HOME.*MEDGEN_DATA"):
        prepared.obtain(prepared.Source("a.zip", "http://127.0.0.1:9/a.zip"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_named(tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataUnavailable, match="Permission denied"):
        prepared.obtain(prepared.Source("a.zip", "http://127.0.0.1:9/a.zip"))


def planned(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """What `make` would do, without doing it."""
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "tools").mkdir(exist_ok=True)
    shutil.copy(ROOT / "tools" / "colab_versions.txt", folder / "tools")
    return run("make", "-n", *arguments, folder=folder, **environment)


@pytest.fixture
def environment(tmp_path) -> Path:
    """A folder with the Makefile, and a .venv that holds the Python of these tests."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def python(folder: Path, version: str) -> str:
    """A program that says it is Python of that version."""
    program = folder / f"python{version}"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return str(program)


def test_another_python_than_that_of_the_environment_is_refused_not_ignored(environment):
    result = planned(environment, f"PYTHON={python(environment, '3.99')}", "book")
    assert result.returncode != 0
    assert "PYTHON=" in result.stderr and "is 3.99" in result.stderr and "rm -rf .venv" in result.stderr


def test_the_python_of_the_environment_and_a_first_run_are_not_refused(environment, tmp_path_factory):
    same = python(environment, f"{sys.version_info.major}.{sys.version_info.minor}")
    assert planned(environment, f"PYTHON={same}", "book").returncode == 0
    fresh = tmp_path_factory.mktemp("fresh")
    assert planned(fresh, f"PYTHON={same}", "book").returncode == 0


def test_jupyter_may_run_as_root_where_root_is_who_asks(environment):
    planned_as = planned(environment, "lab", "LAB=--port 8899").stdout
    assert ("--allow-root" in planned_as) == (os.geteuid() == 0)
    assert "--port 8899 chapters" in planned_as


def test_pytorch_for_processors_alone_is_one_line(tmp_path):
    lines = planned(tmp_path, "TORCH=--index-url https://download.pytorch.org/whl/cpu", "book").stdout
    assert "--index-url https://download.pytorch.org/whl/cpu torch torchvision" in lines
    assert 'TORCH="--index-url https://download.pytorch.org/whl/cpu"' in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )


def test_a_first_run_says_what_it_does_and_how_long_that_takes_also_in_a_path_with_a_blank(tmp_path):
    folder = tmp_path / "a book"
    folder.mkdir()
    lines = planned(folder, "book").stdout
    said = [line for line in lines.splitlines() if "minute" in line and line.lstrip().startswith("echo")]
    assert [line.split('"')[1][:11] for line in said] == ["Step 1 of 3", "Step 2 of 3", "Step 3 of 3"]
    assert "pip install --disable-pip-version-check -c constraints.txt --progress-bar" in lines


def test_the_data_of_the_chapters_is_fetched_where_it_is_not_here(monkeypatch, capsys):
    here = {"mitosis"}
    monkeypatch.setattr(data, "named", lambda: ["mitosis", "pneumonia"])
    monkeypatch.setattr(data, "find", lambda name: name in here)
    monkeypatch.setattr(data, "load", here.add)
    assert data.main() == 0
    assert capsys.readouterr().out.split() == ["mitosis", "is", "here", "pneumonia", "is", "fetched", "..."]


def test_data_that_cannot_be_had_fails_and_says_why(monkeypatch, capsys):
    def refuse(name):
        raise DataUnavailable("the server is down")

    monkeypatch.setattr(data, "named", lambda: ["pneumonia"])
    monkeypatch.setattr(data, "find", lambda name: False)
    monkeypatch.setattr(data, "load", refuse)
    assert data.main() == 1
    assert "pneumonia: the server is down" in capsys.readouterr().err


def test_every_data_set_that_a_chapter_names_is_asked_for_once():
    found = data.named()
    assert found == sorted(set(found)) and {"mitosis"} <= set(found)
