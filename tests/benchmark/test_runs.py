"""A sweep can be killed, resumed and sent to a cluster, and it trains as long as its rule says."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark import KEY, find_budget, read_results, run_task, sweep
from medgen_utils.benchmark import runs as benchmark
from medgen_utils.benchmark.runs import budget_runs, plan
from tests.benchmark.small import FEW, SMALL

TIMINGS = ["seconds", "finished", "commit"]  # the commit, because one may be made while the tests run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "results.csv"
    return path, sweep(FEW, [SMALL], path, trials=2, n_jobs=1)


def without_timings(path):
    return pd.read_csv(path).drop(columns=TIMINGS).to_csv(index=False)


def test_the_sweep_is_the_grid_it_says(undisturbed):
    _, results = undisturbed
    searched, repeated = results.query("seed == 0"), results.query("seed > 0")
    runs = searched.drop_duplicates(KEY).groupby("method").size()
    assert runs.to_dict() == {"ERM": 8, "bound": 4, "jitter": 8, "CORAL": 8}  # (2 targets + 2 pairs) x 2 trials
    assert repeated.drop_duplicates(KEY).groupby("method").size().eq(4).all()  # 2 targets x 2 trials, searched anew


def test_units_are_complete_one_after_the_other():
    """All contenders at the first target and seed come before any at the second."""
    tasks = plan(FEW, [SMALL], trials=2)
    units = [(task.seed, task.left_out) for task in tasks]
    assert all(units.index(unit) + units.count(unit) == len(units) - units[::-1].index(unit) for unit in units)
    assert tasks[0].seed == 0 and {len(task.left_out) for task in tasks[-12:]} == {2}
    assert plan(FEW, [SMALL], 2, "targets") + plan(FEW, [SMALL], 2, "pairs") == tasks


def test_a_file_with_another_budget_is_refused(undisturbed):
    path, _ = undisturbed
    with pytest.raises(ValueError, match="at 2 steps, now 3"):
        sweep(FEW, [replace(SMALL, steps=3)], path, trials=2, n_jobs=1)


def test_the_budget_is_the_first_at_which_neither_more_time_nor_more_steps_help(tmp_path, monkeypatch):
    curves = {2: "0.5 0.6 0.7 0.8", 4: "0.5 0.6 0.80 0.801", 8: "0.8 0.8 0.8 0.8", 16: "0.8 0.8 0.8 0.8"}
    ends = {2: 0.7, 4: 0.8, 8: 0.82, 16: 0.824}

    def pretend(task, *_):
        table = run_task(task)
        inside = table["split"] == "validation"
        return table.assign(
            curve=np.where(inside, curves[task.steps], ""), auroc=np.where(inside, ends[task.steps], 0.5)
        )

    monkeypatch.setattr(benchmark, "run_task", pretend)
    table = find_budget(FEW[0], SMALL, tmp_path / "budget.csv", budgets=(2, 4, 8, 16, 32), n_jobs=1)
    assert table["steps"].tolist() == [2, 4, 8, 16]
    assert table["enough"].tolist() == [False, False, True, False]
    assert set(table["runs"]) == {len(SMALL.targets) * 2} and set(table["backbone"]) == {"small CNN, width 4"}
    assert table["validation"].tolist() == list(ends.values()) and set(table["test"]) == {0.5}
    assert table["rise"].tolist() == pytest.approx([0.1, 0.001, 0, 0])
    assert table["gain"].tolist()[:3] == pytest.approx([0.1, 0.02, 0.004])
    behind = budget_runs(SMALL, tmp_path / "budget.csv")
    assert behind.groupby("steps")["validation"].mean().tolist() == pytest.approx(table["validation"].tolist())
    assert len(behind) == table["runs"].sum() and set(behind["test"]) == {0.5} and set(behind["problem"]) == {"small"}
    assert behind["curve"].tolist() == [curves[steps] for steps in behind["steps"]]
    assert budget_runs(replace(SMALL, name="another"), tmp_path / "budget.csv").empty


def test_predictions_are_kept_of_the_primary_family_on_images_of_patients(tmp_path):
    crew, real = (replace(FEW[0], primary=True), FEW[2]), replace(SMALL, data="clinic", seeds=1)
    sweep(crew, [real], tmp_path / "r.csv", trials=1, n_jobs=1, predictions=tmp_path / "p")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "small--ERM--hospital A--0--0.npz", "small--ERM--new hospital--0--0.npz",
    ]  # fmt: skip


def test_provenance_is_on_every_row(undisturbed):
    _, results = undisturbed
    assert results["device"].str.contains("cores|NVIDIA").all()
    assert results["versions"].str.match(r"python 3\.\d+\.\d+, torch \d").all()
    assert (results["seconds"] > 0).all()


def test_a_finished_sweep_runs_nothing_again(undisturbed, monkeypatch):
    path, results = undisturbed
    before = path.read_bytes()
    monkeypatch.setattr(benchmark, "run_task", lambda *_: pytest.fail("a finished run was repeated"))
    assert sweep(FEW, [SMALL], path, trials=2, n_jobs=1).equals(results)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.0, 0.13, 0.5, 0.77, 0.99])
def test_a_file_cut_off_anywhere_is_completed_to_the_same(undisturbed, tmp_path, share):
    path, _ = undisturbed
    text = path.read_text()
    cut = tmp_path / "results.csv"
    cut.write_text(text[: int(share * len(text))])
    sweep(FEW, [SMALL], cut, trials=2, n_jobs=1)
    assert without_timings(cut) == without_timings(path)


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.benchmark import test_runs as t
t.sweep(t.FEW, [t.SMALL], sys.argv[1], trials=2, n_jobs=2)
"""


def test_a_sweep_killed_at_a_random_moment_and_resumed_gives_the_undisturbed_one(undisturbed, tmp_path):
    path, _ = undisturbed
    killed = tmp_path / "results.csv"
    moment = int(np.random.default_rng().integers(1, 30))  # a new moment at each test run, by the number of lines
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(killed), str(Path(__file__).parents[2])], start_new_session=True
    )
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if killed.exists() and len(killed.read_text().splitlines()) > moment:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = read_results(killed)
    assert 0 < len(finished) < len(read_results(path)), f"killed after {moment} lines: not in the middle"
    sweep(FEW, [SMALL], killed, trials=2, n_jobs=1)
    assert without_timings(killed) == without_timings(path), f"killed after {moment} lines"
    kept = read_results(killed).merge(finished, on=[*KEY, "split", "domain", "finished"])
    assert len(kept) == len(finished), "a finished run was repeated"


def test_a_dask_cluster_of_two_workers_gives_the_same(undisturbed, tmp_path):
    distributed = pytest.importorskip("distributed")
    path, _ = undisturbed
    sent = tmp_path / "results.csv"
    quiet = {"dashboard_address": None, "silence_logs": 50}
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **quiet) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        sweep(FEW, [SMALL], sent, trials=2)
        assert sum(len(log) for log in client.run(lambda dask_worker: list(dask_worker.state.log)).values()) > 0
    assert without_timings(sent) == without_timings(path)


def test_read_results_of_no_file_is_empty(tmp_path):
    assert read_results(tmp_path / "nothing.csv").empty
