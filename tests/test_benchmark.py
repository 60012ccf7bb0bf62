"""The fair experiment keeps its promises, and a sweep of them can be killed, resumed and sent to a cluster."""

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
import torch
from sklearn.metrics import roc_auc_score

from medgen_utils import clinic, self_supervision
from medgen_utils.benchmark import KEY, Task, chosen, read_results, run, run_task, sweep
from medgen_utils.benchmark import entries as contenders
from medgen_utils.benchmark import protocol as benchmark
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, SHARED_SPACE, Contender, Problem
from medgen_utils.data_augmentation import intensity_jitter
from medgen_utils.feature_alignment import CORAL
from medgen_utils.training import ERM, flips

HOSPITALS = clinic.acquisition_hospitals()
TIMINGS = ["seconds", "finished", "commit"]  # the commit, because one may be made while the tests run


@pytest.fixture(scope="module")
def dataset():
    return clinic.make_clinic(HOSPITALS, 40, seed=0, size=16)


def short_run(dataset, seed=0, target=clinic.NEW_HOSPITAL, **options):
    return run(options.pop("algorithm", ERM), dataset, target, seed=seed, steps=3, width=4, augment=flips, **options)


def test_every_target_image_is_tested_once_and_no_source_image_is(dataset):
    tested = short_run(dataset).query("split == 'test'")
    assert set(tested["domain"]) == {clinic.NEW_HOSPITAL}
    assert sorted(tested["index"]) == dataset.only(clinic.NEW_HOSPITAL).index.tolist()


def test_two_targets_are_left_out_together(dataset):
    frame = short_run(dataset, target=("hospital A", clinic.NEW_HOSPITAL))
    assert set(frame.query("split == 'test'")["domain"]) == {"hospital A", clinic.NEW_HOSPITAL}
    assert set(frame.query("split == 'validation'")["domain"]) == {"hospital B", "hospital C"}


def test_validation_is_a_tenth_of_each_source_and_holds_no_target(dataset):
    validation = short_run(dataset).query("split == 'validation'")
    assert clinic.NEW_HOSPITAL not in set(validation["domain"])
    assert validation.groupby("domain").size().between(3, 5).all()


@pytest.mark.parametrize("pretrain", [None, self_supervision.RotNet])
def test_the_target_images_cannot_influence_the_weights(dataset, pretrain):
    dark = dataset.x.clone()
    dark[dataset.domain == dataset.domain_names.index(clinic.NEW_HOSPITAL)] = 0
    a, b = short_run(dataset, pretrain=pretrain), short_run(replace(dataset, x=dark), pretrain=pretrain)
    columns = ["index", "prob_0", "prob_1"]
    assert a.query("split == 'validation'")[columns].equals(b.query("split == 'validation'")[columns])


def test_the_upper_bound_trains_on_half_of_the_target_and_is_tested_on_the_rest(dataset):
    frame = short_run(dataset, sees_target=True)
    tested, validated = (frame.query(f"split == '{part}'") for part in ("test", "validation"))
    assert len(tested) == 20 and set(tested["domain"]) == {clinic.NEW_HOSPITAL}
    assert clinic.NEW_HOSPITAL in set(validated["domain"])
    assert not set(tested["index"]) & set(validated["index"])


def test_pretraining_sees_no_label_and_changes_the_start(dataset):
    plain, pretrained = short_run(dataset), short_run(dataset, pretrain=self_supervision.RotNet)
    assert not plain["prob_1"].equals(pretrained["prob_1"])
    start = benchmark.build(self_supervision.RotNet, dataset, seed=0, width=4)
    benchmark.fit(start, self_supervision.unlabelled(dataset), steps=2, balanced=False)
    assert (self_supervision.unlabelled(dataset).y == 0).all()


def test_same_seed_same_frame_and_another_seed_another(dataset):
    a, b, c = (short_run(dataset, seed).drop(columns="seconds") for seed in (0, 0, 1))
    assert a.equals(b)
    assert not a["prob_1"].equals(c["prob_1"])


def test_the_name_and_the_protocol_are_written_on_every_row(dataset):
    frame = short_run(dataset, name="baseline")
    assert set(frame["algorithm"]) == {"baseline"} and set(frame["protocol"]) == {"leave out new hospital"}
    assert (frame["seconds"] > 0).all()


def test_hyperparameters_reach_the_algorithm(dataset):
    a = short_run(dataset)
    b = short_run(dataset, hyperparameters={"learning_rate": 1e-4})
    assert not a["prob_1"].equals(b["prob_1"])


def test_an_unknown_target_is_named(dataset):
    with pytest.raises(ValueError, match="nowhere"):
        run(ERM, dataset, "nowhere", seed=0, steps=1)


# ------------------------------------------------------------------------------------------------ contenders


def small_clinic(seed):
    return clinic.make_clinic(HOSPITALS, n=60, seed=seed, size=16)


def colour_clinic(seed):
    return clinic.make_clinic(HOSPITALS, n=60, seed=seed, size=28, channels=3)


SMALL = Problem(
    "small", small_clinic, (clinic.NEW_HOSPITAL, "hospital A"), ("hospital B", "hospital C"), steps=2, seeds=2, width=4
)
FEW = (
    Contender("ERM", "reference"),
    Contender("bound", "reference", sees_target=True),
    Contender("jitter", "augmentation", augment=intensity_jitter, strengths={"strength": (1.0, 0.5, 2.0)}),
    Contender("CORAL", "alignment", CORAL, {"weight": (1.0, 0.1, 10.0)}),
)
INNER = {("small", target): inner for target, inner in zip(SMALL.targets, SMALL.inner, strict=True)}


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
@pytest.mark.parametrize("trial", [0, 1])
def test_every_contender_runs_with_its_defaults_and_with_drawn_settings(contender, trial):
    problem = replace(SMALL, load=colour_clinic)
    table = run_task(Task(problem, contender, (clinic.NEW_HOSPITAL,), trial, 0))
    assert table["split"].tolist() == ["validation", "test"]
    assert table[["auroc", "brier"]].stack().between(0, 1).all()


def test_names_are_unique_and_erm_comes_first():
    assert CONTENDERS[0] == Contender("ERM", "reference")
    assert len({contender.name for contender in CONTENDERS}) == len(CONTENDERS)
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda contender: contender.name)
def test_trials_are_drawn_within_the_space_and_repeat(contender):
    spaces = {**SHARED_SPACE, **contender.space, **contender.strengths}
    assert contender.settings(0) == {name: default for name, (default, _, _) in spaces.items()}
    drawn = [contender.settings(trial) for trial in range(1, 30)]
    assert drawn == [contender.settings(trial) for trial in range(1, 30)]
    for name, (_, low, high) in spaces.items():
        values = [settings[name] for settings in drawn]
        assert low * 0.99 <= min(values) < max(values) <= high * 1.01
        assert np.mean(np.log(values) < np.log(low * high) / 2) == pytest.approx(0.5, abs=0.35)


def test_the_default_trial_of_a_contender_is_the_default_of_its_algorithm(dataset):
    for contender in CONTENDERS:
        if contender.space and not contender.pretrain:
            model = benchmark.build(contender.algorithm, dataset, seed=0, width=4)
            for name in contender.space:
                if hasattr(model, name):
                    assert getattr(model, name) == contender.settings(0)[name], (contender.name, name)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_each_target_has_an_inner_domain_that_is_another_one(problem):
    assert len(problem.targets) == len(problem.inner)
    assert all(target != inner for target, inner in zip(problem.targets, problem.inner, strict=True))
    assert len(problem.left_out()) == len(set(problem.left_out())) >= len(problem.targets) + 1


def test_a_pair_that_serves_both_of_its_domains_is_run_once():
    problem = replace(SMALL, targets=("a", "b"), inner=("b", "a"))
    assert problem.left_out() == [("a",), ("b",), ("a", "b")]


def test_the_scores_of_a_run_are_those_of_its_predictions(dataset):
    table = run_task(Task(SMALL, FEW[0], (clinic.NEW_HOSPITAL,), 0, 0))
    frame = run(ERM, small_clinic(0), clinic.NEW_HOSPITAL, seed=0, steps=2, width=4)
    test = frame.query("split == 'test'")
    row = table.query("split == 'test'").iloc[0]
    assert row["auroc"] == pytest.approx(roc_auc_score(test["y"], test["prob_1"]), abs=1e-6)
    assert row["brier"] == pytest.approx(np.mean((test["prob_1"] - test["y"]) ** 2), abs=1e-6)
    assert row["n"] == len(test) == 60


class Diverged(ERM):
    def predict(self, x):
        return super().predict(x) * torch.nan


def test_a_network_that_diverged_counts_as_guessing():
    table = run_task(Task(SMALL, Contender("broken", "reference", Diverged), (clinic.NEW_HOSPITAL,), 0, 0))
    assert (table["auroc"] == 0.5).all() and (table["brier"] == 0.25).all()


# ------------------------------------------------------------------------------------------------ the sweep


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "results.csv"
    return path, sweep(FEW, [SMALL], path, trials=2, n_jobs=1)


def without_timings(path):
    return pd.read_csv(path).drop(columns=TIMINGS).to_csv(index=False)


def test_the_sweep_is_the_grid_it_says(undisturbed):
    _, results = undisturbed
    searched, repeated = results.query("seed == 0"), results.query("seed > 0")
    runs = searched.drop_duplicates(KEY).groupby("contender").size()
    assert runs.to_dict() == {"ERM": 8, "bound": 4, "jitter": 8, "CORAL": 8}  # (2 targets + 2 pairs) x 2 trials
    assert repeated.drop_duplicates(KEY).groupby("contender").size().eq(2).all()  # 2 targets x 1 further seed
    picked = chosen(results, "training-domain validation")
    keys = ["contender", "left_out", "trial"]
    assert repeated[keys].drop_duplicates().merge(picked[keys]).shape[0] == 8


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
import test_benchmark as t
t.sweep(t.FEW, [t.SMALL], sys.argv[1], trials=2, n_jobs=2)
"""


def test_a_sweep_killed_at_a_random_moment_and_resumed_gives_the_undisturbed_one(undisturbed, tmp_path):
    path, _ = undisturbed
    killed = tmp_path / "results.csv"
    moment = int(np.random.default_rng().integers(1, 30))  # a new moment at each test run, by the number of lines
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(killed), str(Path(__file__).parent)], start_new_session=True
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_run_on_cuda_is_close_to_the_one_on_the_cpu():
    task = Task(SMALL, FEW[0], (clinic.NEW_HOSPITAL,), 0, 0)
    on_cpu, on_cuda = run_task(task, "cpu"), run_task(task, "cuda")
    assert np.allclose(on_cpu["auroc"], on_cuda["auroc"], atol=0.05)


# ------------------------------------------------------------------------------------------------ choosing


def results_with(scores):
    """Results of one contender on "small", target new hospital: {(trial, left_out, split, domain): auroc}."""
    rows = [
        {"problem": "small", "contender": "ERM", "left_out": left_out, "trial": trial, "seed": 0, "split": split,
         "domain": domain, "auroc": value}
        for (trial, left_out, split, domain), value in scores.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("rule", "trial"), [("training-domain validation", 0), ("held-out-domain validation", 1), ("oracle", 2)]
)
def test_each_rule_looks_at_its_own_scores(rule, trial):
    pair, new = f"hospital B + {clinic.NEW_HOSPITAL}", clinic.NEW_HOSPITAL
    scores = {}
    for number in range(3):
        scores[number, new, "validation", "all sources"] = 0.9 if number == 0 else 0.8
        scores[number, pair, "test", "hospital B"] = 0.9 if number == 1 else 0.8
        scores[number, pair, "test", new] = 0.99 if number == 0 else 0.1  # looked at by none of the honest rules
        scores[number, new, "test", new] = 0.9 if number == 2 else 0.8
    assert chosen(results_with(scores), rule, INNER)["trial"].tolist() == [trial]


def test_an_unknown_rule_is_named(undisturbed):
    with pytest.raises(ValueError, match="guess"):
        chosen(undisturbed[1], "guess")


def test_read_results_of_no_file_is_empty(tmp_path):
    assert read_results(tmp_path / "nothing.csv").empty


def test_the_problems_name_domains_that_exist():
    for problem in PROBLEMS:
        if problem.load in (contenders._breast_ultrasound, contenders._mitosis):
            continue
        names = problem.load(0).domain_names
        assert {*problem.targets, *problem.inner} <= set(names)
