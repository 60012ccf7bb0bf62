"""The store is what its manifest says, reads as it was written, and its rows come out when trained again."""

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import KEY, entries, evidence, packing
from medgen_utils.benchmark.evidence import COLUMNS, RUNS
from medgen_utils.benchmark.runs import GAIN, RISE, rise
from medgen_utils.data import DataCorrupt, released
from medgen_utils.evaluation import metrics_by

STORE = Path(__file__).parents[2] / evidence.STORE


def test_the_committed_files_are_those_of_the_manifest():
    listed = evidence.manifest()["files"]
    for file, about in listed.items():
        content = (STORE / file).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (about["sha256"], about["bytes"])
    there = {str(p.relative_to(STORE)) for p in STORE.rglob("*") if p.suffix in (".gz", ".npz", ".csv")}
    assert there == set(listed) and sum(about["bytes"] for about in listed.values()) < 20e6


def test_the_committed_rows_have_all_columns_and_no_run_twice():
    rows = evidence.read()
    assert list(rows.columns) == COLUMNS
    assert not rows.duplicated(["protocol", "backbone", "image_size", *KEY, "split", "domain"]).any()
    counted = rows.drop_duplicates(["protocol", "backbone", "image_size", *KEY]).groupby("protocol").size()
    listed = {int(protocol): about["runs"] for protocol, about in evidence.manifest()["protocols"].items()}
    assert counted.to_dict() == listed


def test_stored_runs_were_made_with_what_methods_and_problems_say_today():
    """A setting that is changed later makes the stored rows those of another method."""
    methods, problems = ({item.name: item for item in items} for items in (entries.CONTENDERS, entries.PROBLEMS))
    rows = evidence.read(protocol=entries.PROTOCOL)
    for run in rows[rows["method"].isin(methods)].drop_duplicates(KEY).itertuples():
        method, problem = methods[run.method], problems[run.problem]
        assert json.loads(run.settings) == method.settings(run.trial), run
        assert (run.steps, run.family) == (round(problem.steps * method.passes), method.family), run
        assert run.left_out in {" + ".join(names) for names in problem.left_out()}, run
        assert run.seed < problem.seeds and run.trial < problem.trials(method), run


def test_rows_are_filtered_by_any_column_and_a_missing_value_is_named(store):
    rows = evidence.read(method="ERM", seed=[0, 1], split="test")
    assert set(rows["method"]) == {"ERM"} and set(rows["seed"]) == {0, 1}
    with pytest.raises(ValueError, match="CORAL"):
        evidence.read(method="CORAL")
    with pytest.raises(ValueError, match="no column 'colour'"):
        evidence.read(colour="red")


def test_a_stored_row_comes_out_to_the_last_digit(store):
    row = evidence.read(method="jitter", trial=1, seed=1).iloc[0]
    again = evidence.repeat(row)
    assert again.came_out and again.same_machine
    assert again.table["here"].to_numpy() == pytest.approx(again.table["stored"].to_numpy(), abs=5e-7)
    assert "comes out to the last digit" in again.say()


def test_a_row_with_other_scores_does_not_come_out(work, store, tmp_path):
    false = pd.read_csv(work / "runs.csv").assign(auroc=0.123)
    false.to_csv(tmp_path / "false.csv", index=False)
    packing.pack(tmp_path / "false.csv", store)
    again = evidence.repeat(evidence.read(method="ERM").iloc[0])
    assert not again.came_out and "does not come out" in again.say()


def test_another_machine_is_given_a_tolerance(store, monkeypatch):
    monkeypatch.setattr(evidence, "provenance", lambda device: {"device": "abacus", "versions": "", "commit": ""})
    again = evidence.repeat(evidence.read(method="ERM").iloc[0])
    assert not again.same_machine and again.came_out and "another machine" in again.say()


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_only_where_a_row_can_come_out_to_the_last_digit_it_has_one_thread(store, monkeypatch, place):
    row, alone = evidence.read(method="ERM").iloc[0].copy(), []
    if place == "elsewhere":
        row["device"] = "abacus"
    monkeypatch.setattr(evidence, "with_one_thread", lambda run, task: alone.append(run) or run(*task))
    assert evidence.repeat(row).same_machine is (place == "here")
    assert len(alone) == (place == "here")


def test_a_row_whose_method_is_gone_is_named(store):
    row = evidence.read(method="ERM").iloc[0].to_dict() | {"method": "gone"}
    with pytest.raises(ValueError, match="gone"):
        evidence.repeat(row)


def test_stored_predictions_give_the_stored_scores(store):
    frame = evidence.predictions("small", 2)
    result = evidence.result("small", ["ERM", "jitter"])
    at = ["algorithm", "domain", "seed"]
    scores = metrics_by(frame, at, n_resamples=2).set_index(at)["value"]
    for row in result.frame.to_dict("records"):
        assert scores[row["method"], row["domain"], row["seed"]] == pytest.approx(row["auroc"], abs=5e-3)
    assert frame["prob_0"].add(frame["prob_1"]).to_numpy() == pytest.approx(np.ones(len(frame)))


def test_a_stored_result_has_the_in_domain_score_of_the_chosen_trials(store):
    result = evidence.result("small", ["ERM", "jitter"])
    assert {"in domain", "mean", "difference"} <= set(result.table().columns)
    assert "protocol 2" in result.about.source and result.about.seconds > 0
    chosen = result.frame.set_index(["method", "left_out", "seed"])["trial"]
    inside = result.inside.set_index(["method", "left_out", "seed"])["trial"]
    assert inside.to_dict() == chosen.to_dict()


def test_what_is_not_finished_yet_is_named(store, monkeypatch):
    whole = evidence.so_far("small", ["ERM", "jitter", "CORAL"])
    assert whole.lacking == ("CORAL",) and whole.result.methods == ("ERM", "jitter")
    pd.testing.assert_frame_equal(whole.result.frame, evidence.result("small", ["ERM", "jitter"]).frame)
    pd.testing.assert_frame_equal(whole.table(), whole.result.table())
    said = whole.say().data
    assert "2 seeds at 2 domains" in said and said.endswith("Not finished there yet, so not in it: CORAL.")
    assert whole.brief("jitter") == whole.result.brief("jitter")
    assert whole.brief("CORAL") == "not in the evidence store yet"
    nothing = evidence.so_far("small", ["ERM", "CORAL", "DANN"])
    assert nothing.brief("CORAL") == "not in the evidence store yet"
    assert nothing.result is None and nothing.plot() is None and nothing.table() is None
    assert nothing.lacking == ("CORAL", "DANN")  # ERM is there
    assert "cannot compare anything on small yet: CORAL and DANN are not finished" in nothing.say().data
    assert evidence.so_far("small", ["ERM", "CORAL"]).say().data.endswith("CORAL is not finished there.")
    assert evidence.so_far("small", ["DANN", "jitter"]).lacking == ("DANN",)
    unknown = evidence.so_far("small", ["ERM", "jitter"], protocol=1)
    assert unknown.result is None and unknown.lacking == ("ERM", "jitter")


def test_the_units_are_those_that_give_the_most_comparisons(store, monkeypatch):
    rows = evidence.read(problem="small")
    lagging = rows[(rows["method"] == "jitter") & (rows["left_out"] == "hospital A")].assign(method="lagging")
    more = pd.concat([rows, lagging, rows[rows["method"] == "jitter"].assign(method="done")])
    monkeypatch.setattr(evidence, "load_rows", lambda path: more)
    found = evidence.so_far("small", ["ERM", "jitter", "lagging", "done"])
    assert found.lacking == ("lagging",) and set(found.result.frame["domain"]) == {"hospital A", "new hospital"}
    assert evidence.comparable(more, ["ERM", "gone"]) == ()
    alone = evidence.so_far("small", ["ERM", "lagging"])
    assert alone.lacking == () and set(alone.result.frame["domain"]) == {"hospital A"}


def test_budgets_are_read_by_their_steps():
    table = evidence.budgets("breast hospitals")
    assert table.loc[1000, "runs"] == 8 and table.index.is_monotonic_increasing
    assert np.isclose(table.loc[1000, "gain"], table.loc[2000, "validation"] - table.loc[1000, "validation"], atol=1e-4)
    with pytest.raises(ValueError, match="not in the evidence"):
        evidence.budgets("no such problem")


def test_every_budget_is_the_mean_of_its_runs_and_says_when_it_was_enough():
    table = pd.read_csv(evidence.path_of(evidence.BUDGETS))
    for problem, rows in table.groupby("problem"):
        runs = evidence.budget_runs(problem)
        mean = runs.assign(rise=runs["curve"].map(rise)).groupby("steps")[["validation", "test", "rise"]].mean()
        assert np.allclose(mean.loc[rows["steps"]], rows[["validation", "test", "rise"]], atol=6e-5)
        assert (runs.groupby("steps").size().loc[rows["steps"]] == rows["runs"].to_numpy()).all()
        assert not runs.duplicated(["steps", "left_out", "seed"]).any()
        assert ((rows["rise"] <= RISE) & (rows["gain"] <= GAIN)).equals(rows["enough"])
    with pytest.raises(ValueError, match="not in the evidence"):
        evidence.budget_runs("no such problem")


def test_a_stored_result_names_the_data_it_shows():
    assert [info.name for info in evidence.result("mitosis", ["ERM", "stain jitter"]).about.credit] == ["mitosis"]
    assert [info.name for info in evidence.result("clinic: shortcut", ["ERM"]).about.credit] == ["clinic"]


def test_an_installed_package_reads_the_store_that_it_carries_and_checks_it(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "medgen_utils"
    monkeypatch.setattr(released, "__file__", str(installed / "data" / "released.py"))
    carried = installed / "carried" / evidence.STORE
    shutil.copytree(STORE, carried)
    rows = evidence.read()
    assert len(rows) == gzip.decompress((STORE / RUNS).read_bytes()).count(b"\n") - 1
    (carried / RUNS).write_bytes(b"other")
    with pytest.raises(DataCorrupt, match="SHA256"):
        evidence.read()


def test_another_machine_may_differ_in_the_second_digit_and_not_in_the_first():
    assert 0 < evidence.TOLERANCE <= 0.05
