"""The command behind the chapter on concept shift trains what is missing and packs what is there."""

import json
from types import SimpleNamespace

import pandas as pd

from medgen_utils.benchmark import graders
from tools import graders as tool


def test_asked_seeds_are_trained_and_packed_into_the_store(tmp_path, monkeypatch):
    asked = []
    votes = pd.DataFrame({"expert_1": [0.0], "expert_2": [1.0], "expert_3": [1.0]})
    monkeypatch.setattr(tool, "load_graders", lambda name: (SimpleNamespace(), votes))
    monkeypatch.setattr(graders, "fill", lambda work, cells, votes, lessons, jobs: asked.append((lessons, jobs)))
    monkeypatch.setattr(tool.packing, "write_manifest", lambda store: (store / "manifest.json").write_text("{}"))
    tool.main(["4", "--jobs", "1"], tmp_path / "work", tmp_path)
    assert asked == [(graders.plan([4]), 1)]
    assert (tmp_path / graders.FILE).exists() and json.loads((tmp_path / "manifest.json").read_text()) == {}
    tool.main(["--pack"], tmp_path / "work", tmp_path)
    assert len(asked) == 1
