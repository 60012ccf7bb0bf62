"""The example in CONTRIBUTING.md, class, test and row, runs as it stands; the files that the guide names exist."""

import re
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils import concept_shift
from medgen_utils.backbones import SmallCNN
from medgen_utils.benchmark.entries import CONTENDERS, Contender
from medgen_utils.data import Batch
from medgen_utils.training import ERM
from tools import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
NAMES = {
    "Sequence": Sequence, "Tensor": Tensor, "torch": torch, "nn": nn, "F": F, "pytest": pytest,
    "Batch": Batch, "ERM": ERM, "SmallCNN": SmallCNN, "Contender": Contender,
}  # fmt: skip


def test_the_example_is_a_class_its_tests_and_its_row(monkeypatch):
    names = {**NAMES, "concept_shift": concept_shift}
    class_, tests, row = BLOCKS
    exec(compile("from __future__ import annotations\n" + class_ + "\n" + tests, "CONTRIBUTING.md", "exec"), names)
    checks = [check for name, check in names.items() if name.startswith("test_")]
    assert len(checks) == 2
    for check in checks:
        check()
    monkeypatch.setattr(concept_shift, "LabelSmoothing", names["LabelSmoothing"], raising=False)
    contender = eval(row, names)
    model = contender.algorithm(SmallCNN(1, width=2), nn.Linear(8, 2))
    assert contender.settings(0)["smoothing"] == model.smoothing
    assert contender.name not in {known.name for known in CONTENDERS}
    assert contender.family in {known.family for known in CONTENDERS}


def test_the_guide_names_files_and_commands_that_exist():
    paths = re.findall(
        r"(?<![\w/])((?:chapters|medgen_utils|tests|tools|explorer|speed)/[\w./-]*)",
        GUIDE.replace("CHAPTER", "concept_shift"),
    )
    assert len(paths) >= 15
    assert [path for path in paths if not (ROOT / path.rstrip(".")).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z-]+)", GUIDE)) | set(re.findall(r"^(?:\w+=\S+ )*make ([a-z-]+)", GUIDE, re.M))
    assert {"book", "test", "sweep", "colab", "write"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []
    links = [target.split("#")[0] for target in re.findall(r"\]\((?!http)([^)]+)\)", GUIDE)]
    assert [target for target in links if not (ROOT / target).exists()] == []
