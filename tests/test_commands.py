"""What a fresh machine gets: the commands, the one list of dependencies, the script of CI, the citation."""

import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tools import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


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
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split())
    assert listed == phony - {"site"}


def test_commands_run_modules_that_exist():
    named = re.findall(r"-m ((?:tools|explorer)[\w.]*)", (ROOT / "Makefile").read_text())
    files = [ROOT / name.replace(".", "/") for name in named]
    assert len(named) >= 8
    assert [file for file in files if not (file.with_suffix(".py").is_file() or (file / "__main__.py").is_file())] == []


def test_the_script_of_continuous_integration_is_sound():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


def needed(*extras: str) -> dict[str, Requirement]:
    """What the project asks for, by name: its dependencies and those of the extras, extras of extras too."""
    lines = PROJECT["dependencies"] + [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    found: dict[str, Requirement] = {}
    for wanted in map(Requirement, lines):
        found |= needed(*wanted.extras) if wanted.name == PROJECT["name"] else {canonicalize_name(wanted.name): wanted}
    return found


def pinned() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        canonicalize_name(found.name): found for line in lines if line[:1] not in "#" for found in [Requirement(line)]
    }


def test_requirements_install_the_project_and_what_the_book_needs():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-e .[book]"]
    book = needed("book")
    assert {"jupyter-book", "torch", "torchvision", "matplotlib", "medmnist", "ipywidgets", "nbval"} <= set(book)


@pytest.mark.parametrize("package", needed())
def test_colab_keeps_what_it_has(package):
    assert re.fullmatch(r">=[\d.]+", str(needed()[package].specifier))


def test_constraints_pin_every_requirement():
    """But for JupyterLab: nothing is built or tested with it."""
    pins = pinned()
    outside = [
        name
        for name, wanted in needed("dev").items()
        if name not in pins or not wanted.specifier.contains(str(pins[name].specifier).removeprefix("=="))
    ]
    assert outside == []


def test_constraints_install_on_the_oldest_python_we_support():
    pins = {name: str(found.specifier) for name, found in pinned().items()}
    refused = {
        package.name: package.metadata.get("Requires-Python")
        for package in distributions()
        if pins.get(canonicalize_name(package.name)) == f"=={package.version}"
        and not SpecifierSet(package.metadata.get("Requires-Python") or "").contains("3.11.0")
    }
    assert refused == {}


def test_citation_file_names_the_book_and_the_review():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(citation)
    assert citation["references"][0]["doi"] == "10.1016/j.compbiomed.2024.109256"
