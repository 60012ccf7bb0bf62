"""A sweep comes into the store as it was, once, and the bytes depend on the rows alone."""

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from medgen_utils.benchmark import KEY, evidence, packing, sweep
from medgen_utils.benchmark import entries as registry
from medgen_utils.benchmark.evidence import RUNS
from medgen_utils.benchmark.runs import read_results
from medgen_utils.benchmark.standings import ALL_SEEDS, standings
from medgen_utils.evaluation import auroc
from tests.benchmark.small import CREW, FEW, PROBLEM

STORE = Path(__file__).parents[2] / evidence.STORE


def test_packing_twice_gives_the_same_bytes(work, store):
    before = (store / RUNS).read_bytes()
    rows = packing.pack(work / "runs.csv", store, work / "predictions")
    assert (store / RUNS).read_bytes() == before
    assert rows.index.tolist() == list(range(len(rows)))
    own = rows[rows["method"] != packing.ENSEMBLE]
    assert own.drop_duplicates(KEY).shape[0] == pd.read_csv(work / "runs.csv").drop_duplicates(KEY).shape[0]


def test_packing_keeps_what_the_store_had_and_replaces_the_same_run(work, store, tmp_path):
    other = pd.read_csv(work / "runs.csv").query("method == 'ERM'").assign(auroc=0.5)
    other.to_csv(tmp_path / "new.csv", index=False)
    rows = packing.pack(tmp_path / "new.csv", store)
    assert (rows[rows["method"] == "ERM"]["auroc"] == 0.5).all()
    assert not (rows[rows["method"] == "jitter"]["auroc"] == 0.5).all() and "jitter" in set(rows["method"])


def test_what_is_unpacked_needs_not_be_run_again(store, tmp_path, monkeypatch):
    packing.unpack(tmp_path / "again.csv")
    monkeypatch.setattr("medgen_utils.benchmark.runs.run_task", lambda *_: pytest.fail("a stored run was repeated"))
    assert len(sweep(CREW, [PROBLEM], tmp_path / "again.csv", trials=2, n_jobs=1))


def test_a_sweep_that_begins_with_the_store_adds_whole_runs_to_it(store, tmp_path):
    packing.unpack(tmp_path / "more.csv")
    before = read_results(tmp_path / "more.csv")
    sweep([FEW[3]], [PROBLEM], tmp_path / "more.csv", trials=1, which="targets", n_jobs=1)
    after = read_results(tmp_path / "more.csv")
    assert set(after["method"]) == {*before["method"], "CORAL"}
    added = after[after["method"] == "CORAL"]
    assert added.drop_duplicates(KEY).shape[0] == len(PROBLEM.targets) * PROBLEM.seeds
    assert added["auroc"].between(0, 1).all() and added["n"].gt(1).all()
    pd.testing.assert_frame_equal(after[after["method"] != "CORAL"].reset_index(drop=True)[list(before)], before)


def test_the_manifest_names_what_each_protocol_holds(store):
    about = json.loads((store / evidence.MANIFEST).read_text())["protocols"]["2"]
    assert about["runs"] == 2 * (2 * 2 * 2 + 2 * 2) + 2  # ensembles at two targets and about["first"] <= about["last"]


def test_the_ensemble_is_the_mean_probability_of_the_seeds_at_their_chosen_trials(store):
    frame, rows = evidence.predictions("small", 2), evidence.read(method=packing.ENSEMBLE, split="test")
    assert rows["left_out"].tolist() == sorted(PROBLEM.targets) and set(rows["seed"]) == {ALL_SEEDS}
    for row in rows.to_dict("records"):
        erm = frame[(frame["algorithm"] == "ERM") & (frame["domain"] == row["domain"])]
        assert erm["seed"].nunique() == PROBLEM.seeds
        p = erm.pivot(index="index", columns="seed", values="prob_1").mean(axis=1)
        y = erm.drop_duplicates("index").set_index("index")["y"]
        assert row["auroc"] == pytest.approx(auroc(y.to_numpy(), p[y.index].to_numpy()), abs=1e-6)


def test_the_ensemble_stands_on_the_board_beside_its_members(store):
    table = standings(evidence.read()).set_index("method")
    assert table.loc[packing.ENSEMBLE, "units"] == len(PROBLEM.targets)
    assert table.loc[packing.ENSEMBLE, "in_domain"] == pytest.approx(table.loc["ERM", "in_domain"], abs=1e-6)


def test_an_incomplete_set_of_seeds_makes_no_ensemble(work, tmp_path, entries):
    some = pd.read_csv(work / "runs.csv").query("seed == 0 or left_out != 'hospital A'")
    some.to_csv(tmp_path / "some.csv", index=False)
    rows = packing.pack(tmp_path / "some.csv", tmp_path / "store", work / "predictions")
    assert set(rows[rows["method"] == packing.ENSEMBLE]["left_out"]) == set(PROBLEM.targets) - {"hospital A"}


def test_ensembles_of_two_problems_with_the_same_targets_do_not_mix_and_one_seed_makes_none(
    work, tmp_path, monkeypatch, entries
):
    larger, one_seed = replace(PROBLEM, name="larger"), replace(PROBLEM, name="one seed", seeds=1)
    monkeypatch.setattr(registry, "PROBLEMS", (PROBLEM, larger, one_seed))
    small = pd.read_csv(work / "runs.csv")
    others = [small.assign(problem="larger", auroc=small["auroc"] / 2), small[small["seed"] == 0]]
    others[1] = others[1].assign(problem="one seed")
    pd.concat([small, *others]).to_csv(tmp_path / "all.csv", index=False)
    shutil.copytree(work / "predictions", tmp_path / "predictions")
    for file in list((tmp_path / "predictions").iterdir()):
        for name in ("larger", "one seed"):
            shutil.copy(file, file.with_name(file.name.replace("small--", f"{name}--", 1)))
    rows = packing.pack(tmp_path / "all.csv", tmp_path / "store", tmp_path / "predictions")
    found = rows[(rows["method"] == packing.ENSEMBLE) & (rows["split"] == "validation")]
    assert set(found["problem"]) == {"small", "larger"}
    inside = found.set_index(["left_out", "problem"])["auroc"].unstack()
    assert inside["larger"].to_numpy() == pytest.approx(inside["small"].to_numpy() / 2, abs=2e-6)


def test_predictions_of_runs_that_were_made_elsewhere_stay_in_the_store(work, store, tmp_path):
    before = evidence.predictions("small", 2)
    shutil.copytree(work / "predictions", tmp_path / "some", ignore=shutil.ignore_patterns("*jitter*", "*--1.npz"))
    packing.pack(work / "runs.csv", store, tmp_path / "some")
    pd.testing.assert_frame_equal(evidence.predictions("small", 2), before)
    file = store / evidence.predictions_file("small", 2)
    changed = file.stat().st_mtime_ns
    (tmp_path / "none").mkdir()
    rows = packing.pack(work / "runs.csv", store, tmp_path / "none")
    assert file.stat().st_mtime_ns == changed and packing.ENSEMBLE in set(rows["method"])


@pytest.mark.parametrize("finished", ["seed == seed", "seed == 0", "seed < 0"], ids=["all", "one seed", "nothing"])
def test_the_rows_of_earlier_protocols_stay_as_they_are_to_the_byte(work, tmp_path, entries, finished):
    (tmp_path / "store").mkdir()
    shutil.copy(STORE / RUNS, tmp_path / "store" / RUNS)
    pd.read_csv(work / "runs.csv").query(finished).to_csv(tmp_path / "some.csv", index=False)
    rows = packing.pack(tmp_path / "some.csv", tmp_path / "store", work / "predictions")
    before, after = (
        gzip.decompress((folder / RUNS).read_bytes()).splitlines() for folder in (STORE, tmp_path / "store")
    )
    assert after[: len(before)] == before and len(after) == len(rows) + 1
    assert (len(after) > len(before)) == (finished != "seed < 0")
