"""The store is what its manifest says, reads as it was written, and its rows come out when trained again."""

import gzip
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import KEY, evidence, sweep
from medgen_utils.benchmark.evidence import COLUMNS, RUNS
from medgen_utils.data import prepared
from medgen_utils.evaluation import metrics_by
from tests.benchmark.small import FEW, SMALL, small_clinic

STORE = Path(__file__).parents[2] / evidence.STORE
CREW = (replace(FEW[0], primary=True), replace(FEW[2], primary=True))
PROBLEM = replace(SMALL, load=lambda seed: small_clinic(0), real=True, seeds=2)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder with a finished sweep and its predictions."""
    folder = tmp_path_factory.mktemp("work")
    sweep(CREW, [PROBLEM], folder / "runs.csv", trials=2, n_jobs=1, predictions=folder / "predictions")
    return folder


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setattr(evidence, "PROBLEMS", (PROBLEM,))
    monkeypatch.setattr(evidence, "CONTENDERS", CREW)


@pytest.fixture
def store(work, tmp_path, monkeypatch, entries):
    """The sweep packed, and read instead of the book's store."""
    evidence.pack(work / "runs.csv", tmp_path / "store", work / "predictions")
    monkeypatch.setattr(evidence, "path_of", lambda file: tmp_path / "store" / file)
    return tmp_path / "store"


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


def test_packing_twice_gives_the_same_bytes(work, store):
    before = (store / RUNS).read_bytes()
    rows = evidence.pack(work / "runs.csv", store, work / "predictions")
    assert (store / RUNS).read_bytes() == before
    assert rows.drop_duplicates(KEY).shape[0] == pd.read_csv(work / "runs.csv").drop_duplicates(KEY).shape[0]


def test_packing_keeps_what_the_store_had_and_replaces_the_same_run(work, store, tmp_path):
    other = pd.read_csv(work / "runs.csv").query("method == 'ERM'").assign(auroc=0.5)
    other.to_csv(tmp_path / "new.csv", index=False)
    rows = evidence.pack(tmp_path / "new.csv", store)
    assert (rows[rows["method"] == "ERM"]["auroc"] == 0.5).all()
    assert not (rows[rows["method"] == "jitter"]["auroc"] == 0.5).all() and "jitter" in set(rows["method"])


def test_what_is_unpacked_needs_not_be_run_again(store, tmp_path, monkeypatch):
    evidence.unpack(tmp_path / "again.csv")
    monkeypatch.setattr("medgen_utils.benchmark.runs.run_task", lambda *_: pytest.fail("a stored run was repeated"))
    assert len(sweep(CREW, [PROBLEM], tmp_path / "again.csv", trials=2, n_jobs=1))


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
    evidence.pack(tmp_path / "false.csv", store)
    again = evidence.repeat(evidence.read(method="ERM").iloc[0])
    assert not again.came_out and "does not come out" in again.say()


def test_another_machine_is_given_a_tolerance(store, monkeypatch):
    monkeypatch.setattr(evidence, "provenance", lambda device: {"device": "abacus", "versions": "", "commit": ""})
    again = evidence.repeat(evidence.read(method="ERM").iloc[0])
    assert not again.same_machine and again.came_out and "another machine" in again.say()


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


def test_outside_the_repository_the_files_come_from_the_release_and_are_checked(tmp_path, monkeypatch):
    asked = []

    def write(source, path):
        asked.append(source.address)
        shutil.copy(STORE / source.address.rpartition("evidence/")[2], path)

    monkeypatch.setattr(evidence, "__file__", str(tmp_path / "a" / "medgen_utils" / "benchmark" / "evidence.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MEDGEN_DATA", raising=False)
    monkeypatch.setattr(prepared, "_write", write)
    rows = evidence.read()
    assert len(rows) == gzip.decompress((STORE / RUNS).read_bytes()).count(b"\n") - 1
    assert all("/raw/v" in address for address in asked) and len(asked) == 2
    evidence.read()
    assert len(asked) == 2, "downloaded twice"
    (damaged,) = (tmp_path / "medgen").glob("*runs.csv.gz")
    damaged.write_bytes(b"other")
    with pytest.raises(prepared.DataCorrupt, match="SHA256"):
        evidence.read()


def test_the_manifest_names_what_each_protocol_holds(store):
    about = json.loads((store / evidence.MANIFEST).read_text())["protocols"]["2"]
    assert about["runs"] == 2 * (2 * 2 * 2 + 2 * 2) and about["first"] <= about["last"]
