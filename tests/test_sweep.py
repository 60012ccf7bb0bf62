"""The parts of the sweep: the primary family on the hospitals first, and a word that is no part is refused."""

import hashlib
import json
import shutil

import pandas as pd
import pytest

from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROBLEMS
from tools import sweep
from tools.sweep import FAST, GROUPS, named, parts


def test_the_primary_family_on_the_hospitals_comes_first_and_every_part_comes_once():
    order = [(group, problem.name) for group, problem in parts("")]
    assert order[:2] == [("primary", "breast hospitals"), ("primary", "mitosis")]
    assert len(set(order)) == len(order) == len(GROUPS) * len(PROBLEMS)


def test_a_part_is_a_group_a_problem_or_both():
    assert {group for group, _ in parts("selection")} == {"selection"}
    assert {problem.name for _, problem in parts("mitosis")} == {"mitosis"}
    assert [(group, problem.name) for group, problem in parts("primary/mitosis")] == [("primary", "mitosis")]


def test_a_word_that_is_no_part_is_named():
    with pytest.raises(ValueError, match="everything"):
        parts("everything")


def test_contenders_are_named_and_a_name_that_is_none_is_refused():
    assert tuple(contender.name for contender in named(FAST[::-1])) == FAST
    with pytest.raises(ValueError, match="label smothing"):
        named(["ERM", "label smothing"])


def found(contender, problem, *rest, **options):
    """A budget found without any run."""
    return pd.DataFrame({"problem": [problem.name], "steps": [500]})


def found_run(problem, path):
    """And the one run behind it."""
    return evidence.budget_runs("breast hospitals").head(1).assign(problem=problem.name, steps=500)


def test_the_manifest_is_in_step_after_the_search_for_budgets(tmp_path, monkeypatch):
    shutil.copytree(sweep.STORE, tmp_path / "store")
    monkeypatch.setattr(sweep, "STORE", tmp_path / "store")
    monkeypatch.setattr(sweep, "find_budget", found)
    monkeypatch.setattr(sweep.runs, "budget_runs", found_run)
    table = sweep.budgets(None, None)
    listed = json.loads((tmp_path / "store" / evidence.MANIFEST).read_text())
    assert list(table["problem"]) == list(dict.fromkeys(p.name for _, p in parts("") if p.budgets))
    for name in ("budgets.csv", "budget_runs.csv"):
        content = (tmp_path / "store" / name).read_bytes()
        assert listed["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()
    assert listed["protocols"] == evidence.manifest()["protocols"]


def test_a_search_for_one_budget_leaves_the_others_as_they_are(tmp_path, monkeypatch):
    shutil.copytree(sweep.STORE, tmp_path / "store")
    monkeypatch.setattr(sweep, "STORE", tmp_path / "store")
    monkeypatch.setattr(sweep, "find_budget", found)
    monkeypatch.setattr(sweep.runs, "budget_runs", found_run)
    before = pd.read_csv(tmp_path / "store" / "budgets.csv").query("problem != 'mitosis'")
    runs_before = pd.read_csv(tmp_path / "store" / "budget_runs.csv").query("problem != 'mitosis'")
    monkeypatch.setenv("SWEEP", "budget/mitosis")
    monkeypatch.setenv("MEDGEN_MODE", "full")
    monkeypatch.setattr("sys.argv", ["sweep"])
    sweep.main()
    after = pd.read_csv(tmp_path / "store" / "budgets.csv")
    assert after.query("problem == 'mitosis'")["steps"].tolist() == [500]
    behind = pd.read_csv(tmp_path / "store" / "budget_runs.csv")
    assert behind.query("problem == 'mitosis'")["steps"].tolist() == [500]
    assert len(behind.query("problem != 'mitosis'")) == len(runs_before)
    others = after.query("problem != 'mitosis'").reset_index(drop=True)
    pd.testing.assert_frame_equal(others, before.reset_index(drop=True), check_dtype=False)


def test_a_part_without_the_full_mode_is_refused_and_not_quietly_another_sweep(monkeypatch):
    monkeypatch.setenv("SWEEP", "budget")
    monkeypatch.setenv("MEDGEN_MODE", "fast")
    monkeypatch.setattr("sys.argv", ["sweep"])
    with pytest.raises(ValueError, match=r"SWEEP='budget'.*MEDGEN_MODE=full"):
        sweep.main()
