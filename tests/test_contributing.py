"""Every recipe of CONTRIBUTING.md is carried out as it stands; the files and commands that the guide names exist.

A chapter: test_new_chapter.py. A page: publish/test_both_ways.py, which builds the site with one more. A release:
publish/test_steps.py.
"""

import re
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils import concept_shift
from medgen_utils.backbones import SmallCNN
from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import CONTENDERS, Contender
from medgen_utils.data import Batch, DatasetInfo, DomainDataset, load, loading
from medgen_utils.data.loading import DataSet
from medgen_utils.data.prepared import Source, check_size, load_npz, obtain, to_tensor
from medgen_utils.exercises import check, checks
from medgen_utils.exercises.feedback import Asked, exercise, number
from medgen_utils.provenance import provenance
from medgen_utils.training import ERM
from tools import ROOT
from tools.teach import exercises
from tools.write import datasets

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMES = {
    "Sequence": Sequence, "Tensor": Tensor, "torch": torch, "nn": nn, "F": F, "pytest": pytest, "np": np,
    "Batch": Batch, "ERM": ERM, "SmallCNN": SmallCNN, "Contender": Contender, "evidence": evidence,
    "DatasetInfo": DatasetInfo, "DomainDataset": DomainDataset, "provenance": provenance, "Source": Source,
    "check_size": check_size, "load_npz": load_npz, "obtain": obtain, "to_tensor": to_tensor, "load": load,
    "DataSet": DataSet, "exercise": exercise, "number": number, "Asked": Asked,
}  # fmt: skip


def blocks(heading: str, language: str = "python") -> list[str]:
    """The code of one section of the guide."""
    section = GUIDE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)


def run(code: str, **names: object) -> dict[str, object]:
    """What a block defines, beside the names it was given."""
    found = {**NAMES, **names}
    exec(compile("from __future__ import annotations\n" + code, "CONTRIBUTING.md", "exec"), found)
    return found


def test_the_method_of_the_guide_is_a_class_its_tests_and_its_row(monkeypatch):
    class_, tests, row = blocks("Add a method")
    names = run(class_ + "\n" + tests, concept_shift=concept_shift)
    found = [test for name, test in names.items() if name.startswith("test_")]
    assert len(found) == 2
    for test in found:
        test()
    monkeypatch.setattr(concept_shift, "LabelSmoothing", names["LabelSmoothing"], raising=False)
    contender = eval(row, names)
    model = contender.algorithm(SmallCNN(1, width=2), nn.Linear(8, 2))
    assert contender.settings(0)["smoothing"] == model.smoothing
    assert contender.name not in {known.name for known in CONTENDERS}
    assert contender.family in {known.family for known in CONTENDERS}


def test_the_data_set_of_the_guide_is_a_file_a_row_a_place_and_a_test(tmp_path, monkeypatch):
    module, row, test = blocks("Add a data set")
    (place,) = blocks("Add a data set", "markdown")
    two_clinics = SimpleNamespace(**run(module))
    sets = loading.SETS | eval(f"{{{row}}}", NAMES | {"two_clinics": two_clinics})
    monkeypatch.setattr(loading, "SETS", sets)
    monkeypatch.setattr(datasets, "SETS", sets)
    monkeypatch.setenv("MEDGEN_DATA", str(tmp_path))
    assert not loading.find("two-clinics")
    run(test)["test_two_clinics"](tmp_path)
    assert loading.find("two-clinics")
    page = tmp_path / "chapters" / "datasets.md"
    page.parent.mkdir()
    page.write_text((ROOT / "chapters" / "datasets.md").read_text(encoding="utf-8") + "\n" + place)
    assert datasets.update(tmp_path) == ["chapters/datasets.md"]
    written = page.read_text().partition("<!-- begin two-clinics -->")[2]
    assert "| | North | South |" in written and "Doe et al. 2026" in written
    assert datasets.update(tmp_path) == []


def test_the_exercise_of_the_guide_tells_right_from_wrong(monkeypatch):
    (master,), (judge,) = blocks("Add an exercise", "yaml"), blocks("Add an exercise")
    found = run(judge)["gap_of_scores"]
    monkeypatch.setitem(checks.EXERCISES, "gap.9", found)
    ((key, solved),) = yaml.safe_load(master).items()
    names: dict[str, object] = {}
    exec(solved["solution"], names)
    assert key == found.name == "gap.9" and check(key, names["gap"]).passed
    stub: dict[str, object] = {}
    exec(exercises.cut(solved["solution"].rstrip()), stub)
    assert "Not started" in check(key, stub["gap"]).text
    for wrong in solved["wrong"]:
        exec(wrong["code"], names)
        said = check(key, names["gap"], hint=0)
        assert not said.passed and wrong["hint"] in said.text


def test_the_evidence_is_repeated_as_the_guide_says(monkeypatch, capsys):
    (block,) = blocks("Repeat the evidence")
    asked: list[pd.Series] = []
    monkeypatch.setattr(evidence, "repeat", lambda row: asked.append(row) or SimpleNamespace(say=lambda: "comes out"))
    run(block)
    assert asked[0]["method"] == "ERM" and asked[0]["split"] == "test"
    assert capsys.readouterr().out == "comes out\n"


def test_the_guide_names_files_and_commands_that_exist():
    paths = re.findall(
        r"(?<![\w/])((?:chapters|medgen_utils|tests|tools|explorer|speed)/[\w./-]*)",
        re.sub("chapters/(fairness|a_page)", "", GUIDE.replace("CHAPTER", "concept_shift")),  # examples
    )
    assert len(paths) >= 15
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z-]+)", GUIDE)) | set(re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)", GUIDE, re.M))
    assert {"book", "test", "sweep", "colab", "write"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
    links = [target.split("#")[0] for target in re.findall(r"\]\((?!http)([^)]+)\)", GUIDE)]
    assert [target for target in links if not (ROOT / target).exists()] == []
