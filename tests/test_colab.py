"""Colab, Codespaces and GitHub: the set-up cell, the list of versions, the forms, the container."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

from tools import colab, colab_versions
from tools.address import Address
from tools.write import stamp

ROOT = Path(__file__).resolve().parent.parent
FORMS = [ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml" for name in ("problem", "idea")]
UNTOUCHED = ("torch", "torchvision", "numpy", "ipython", "ipywidgets", "ipykernel")


# -------------------------------------------------------------------------------------------------- the set-up cell


class Shell:
    """Notes what a cell asks pip for; "installed" from then on is what find_spec sees."""

    def __init__(self, installed: bool):
        self.installed, self.asked = installed, []

    def run_line_magic(self, name: str, line: str, *_) -> None:
        assert name == "pip"
        self.asked.append(line)
        self.installed = True

    def run(self, source: str) -> None:
        code = TransformerManager().transform_cell(source)
        exec(compile(code, "set-up cell", "exec"), {"get_ipython": lambda: self})


@pytest.fixture
def cell() -> str:
    return stamp.setup_source("feature_alignment", ["clinic"], Address("owner/name", "7.8.9"), checksum="abc")


@pytest.fixture
def shell(monkeypatch):
    """A shell on a machine without the package."""
    shell, real = Shell(installed=False), importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: real(name, *rest) if name != "medgen_utils" or shell.installed else None,
    )
    return shell


def test_the_set_up_cell_installs_two_packages_once_and_without_dependencies(shell, cell):
    shell.run(cell)
    assert shell.asked == [
        "install -q --no-deps https://github.com/owner/name/releases/download/v7.8.9/medgen_utils.zip#sha256=abc",
        "install -q --no-deps medmnist",
    ]
    shell.run(cell)
    assert len(shell.asked) == 2


def test_every_chapter_begins_without_what_set_up_cells_install(monkeypatch):
    """On Colab each has a machine of its own: the weights of one chapter must not hang on the package being there."""
    events = []
    monkeypatch.setattr(colab, "pip", lambda *arguments: events.append(arguments))
    monkeypatch.setattr(colab, "packages", lambda: dict.fromkeys(("torch", "numpy", "ipykernel"), "1"))
    monkeypatch.setattr(colab, "run", lambda path, package: events.append(path.name) or (1.0, 2.0))
    monkeypatch.setattr(colab.os, "environ", {})
    assert colab.main(["a.ipynb", "b.ipynb", "--published"]) == 0
    bare = ("uninstall", "--yes", "--quiet", *colab.INSTALLED)
    assert all(events[events.index(name) - 1] == bare for name in ("a.ipynb", "b.ipynb"))


@pytest.mark.parametrize("package", UNTOUCHED)
def test_the_set_up_cell_never_names_what_colab_brings(shell, cell, package):
    shell.run(cell)
    assert not any(re.search(rf"\b{package}\b", line) for line in shell.asked)


def test_the_set_up_cell_prints_the_table(shell, cell, capsys):
    shell.run(cell)
    printed = capsys.readouterr().out
    assert {"chapter", "mode", "device", "python", "torch", "numpy", "data: clinic"} <= {
        line.split("  ")[0].strip() for line in printed.splitlines()
    }


def test_without_an_address_the_cell_installs_what_the_reader_has_uploaded(shell):
    shell.run(stamp.setup_source("feature_alignment", ["clinic"], Address("", "7.8.9")))
    assert shell.asked == ["install -q --no-deps ./medgen_utils.zip", "install -q --no-deps medmnist"]


# ------------------------------------------------------------------------------------------------ the run on Colab


@pytest.mark.parametrize("address", [Address("owner/name", "7.8.9"), Address("", "7.8.9")])
def test_an_archive_of_this_checkout_stands_in_for_what_a_cell_installs(tmp_path, address):
    package = tmp_path / "medgen_utils.zip"
    source = colab.stand_in(stamp.setup_source("a", [], address, checksum="ab"), package)
    assert source.count(".zip") == 1 + (not address.slug) and f"--no-deps {package.as_uri()}\n" in source
    with pytest.raises(ValueError, match="make write"):
        colab.stand_in("setup()", package)


def test_an_added_removed_or_replaced_package_is_seen():
    before = {"a": "1", "b": "2", "torch": "2.11"}
    assert colab.changed(before, before) == set()
    assert colab.changed(before, {"a": "1", "torch": "2.12", "c": "3"}) == {"b", "c", "torch"}


def test_the_list_names_all_that_the_package_imports_and_colab_brings():
    text = (ROOT / "tools" / "colab_versions.txt").read_text(encoding="utf-8")
    listed = {re.split("[=<]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert set(UNTOUCHED) <= listed
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.findall(r'"([\w-]+)>=', project.partition("dependencies = [")[2].partition("]")[0])
    assert set(needed) <= listed
    assert "python" in colab_versions.published(text.replace("# python", "python"))


# ------------------------------------------------------------------------------------------------ refreshing the list

FREEZE = """\
# Do not modify this file directly
absl-py==1.4.0
en-core-web-sm @ https://example.org/en_core_web_sm-3.6.0-py3-none-any.whl#sha256=83
google-colab @ file:///colabtools/dist/google-colab-1.0.0.tar.gz
ipykernel==6.17.1
numpy==2.1.4
scikit-learn==1.6.1
torch @ https://download.pytorch.org/whl/cu128/torch-2.12.1%2Bcu128-cp313-cp313-manylinux_2_28_x86_64.whl#sha256=a8
torchvision==0.27.1+cu128
"""
LIST = "# a comment\n# python==3.12\ntorch==2.11.0\nnumpy<2.2  # why\nscikit-learn==1.6.1\n"


def test_versions_are_read_from_pins_and_from_wheels():
    found = colab_versions.published(FREEZE)
    expected = {"torch": "2.12.1", "torchvision": "0.27.1", "numpy": "2.1.4", "en-core-web-sm": "3.6.0"}
    assert expected.items() <= found.items()
    assert found["python"] == "3.13"


def test_the_list_keeps_its_names_and_comments():
    assert colab_versions.refreshed(LIST, colab_versions.published(FREEZE)) == (
        "# a comment\n# python==3.13\ntorch==2.12.1\nnumpy==2.1.4\nscikit-learn==1.6.1\n"
    )


def test_a_package_that_colab_dropped_is_named():
    with pytest.raises(ValueError, match="Colab has no tqdm"):
        colab_versions.refreshed(LIST + "tqdm\n", colab_versions.published(FREEZE))


def test_the_script_writes_the_list(tmp_path, monkeypatch, capsys):
    freeze, versions = tmp_path / "pip-freeze.txt", tmp_path / "versions.txt"
    freeze.write_text(FREEZE)
    versions.write_text(LIST)
    monkeypatch.setattr(colab_versions, "VERSIONS", versions)
    assert colab_versions.main([str(freeze)]) == 0
    assert "torch==2.12.1" in versions.read_text() and "torch==2.12.1" in capsys.readouterr().out
    assert colab_versions.main([str(freeze)]) == 0
    assert "nothing has changed" in capsys.readouterr().out


# --------------------------------------------------------------------------------------- forms and container


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_complete(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in fields]
    assert len(ids) == len(set(ids)) and all(field["attributes"]["label"] for field in fields)
    assert {field["type"] for field in fields} <= {"input", "textarea", "dropdown", "checkboxes"}


def test_the_problem_form_asks_for_chapter_version_cell_and_set_up_table():
    fields = {field.get("id"): field for field in yaml.safe_load(FORMS[0].read_text(encoding="utf-8"))["body"]}
    assert {"chapter", "version", "cell", "setup", "what"} <= set(fields)
    assert fields["chapter"]["type"] == fields["version"]["type"] == "input"  # so that an address can fill them in


def test_the_dev_container_makes_what_exists():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = container["postCreateCommand"].split()[1:]
    assert targets and [target for target in targets if f"\n{target}:" not in makefile] == []
    assert 8000 in container["forwardPorts"]
