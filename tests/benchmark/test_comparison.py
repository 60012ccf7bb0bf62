"""A comparison in one line trains what its arguments say, and nothing sees the target."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import clinic
from medgen_utils.backbones import SmallCNN
from medgen_utils.benchmark import compare, comparison, run
from medgen_utils.benchmark.comparison import SHORT_LIST, Comparison, contenders, targets_of
from medgen_utils.benchmark.entries import CONTENDERS, EQUAL_SECONDS
from medgen_utils.evaluation import auroc, metrics_by
from medgen_utils.training import ERM
from tests.benchmark.small import FEW, small_clinic

DEFAULTS = {"width": 4, "hyperparameters": CONTENDERS[0].settings(0)}  # of ERM on the scoreboard
OPTIONS = {"seeds": (0, 1), "steps": 3, "width": 4, "n_jobs": 1}


@pytest.fixture(scope="module")
def dataset():
    return small_clinic(0)


def test_a_comparison_is_the_runs_it_says(dataset):
    result = compare(["ERM", FEW[2]], dataset, target=clinic.NEW_HOSPITAL, **OPTIONS)
    frame = run(ERM, dataset, clinic.NEW_HOSPITAL, seed=1, steps=3, **DEFAULTS).query("split == 'test'")
    scores = result.scores().set_index(["method", "unit"])["value"]
    assert scores["ERM", "seed 1"] == auroc(frame["y"].to_numpy(), frame[["prob_0", "prob_1"]].to_numpy())
    assert set(result.frame["domain"]) == {clinic.NEW_HOSPITAL} and result.methods == ("ERM", "jitter")


def test_without_a_target_every_domain_is_left_out_in_turn(dataset):
    result = compare(["ERM"], dataset, **OPTIONS | {"seeds": (0,)})
    assert set(result.frame["domain"]) == set(dataset.domain_names)
    assert result.about.credit == (dataset.info,) and "3 steps" in result.about.line(1)


def test_an_unknown_method_is_named(dataset):
    with pytest.raises(ValueError, match="magic"):
        compare(["ERM", "magic"], dataset, **OPTIONS)


def test_a_backbone_of_ones_own_takes_the_place_of_the_small_network(dataset):
    options = OPTIONS | {"target": clinic.NEW_HOSPITAL, "seeds": (0,)}
    plain = compare(["ERM"], dataset, **options)
    same, other = (compare(["ERM"], dataset, backbone=partial(SmallCNN, 1, width), **options) for width in (4, 6))
    assert (same.frame["prob_1"] == plain.frame["prob_1"]).all()
    assert (other.frame["prob_1"] != plain.frame["prob_1"]).any()


def test_the_line_under_a_result_names_all_its_numbers_of_steps(dataset):
    options = OPTIONS | {"steps": 4, "seeds": (0,), "target": clinic.NEW_HOSPITAL}
    assert compare(["ERM", "ERM, equal seconds"], dataset, **options).about.steps == (4, round(4 * EQUAL_SECONDS))


def test_targets_in_a_tuple_are_left_out_together(dataset):
    both = ("hospital A", clinic.NEW_HOSPITAL)
    result = compare(["ERM"], dataset, target=[both], **OPTIONS | {"seeds": (0,)})
    assert set(result.frame["domain"]) == set(both) and set(result.inside["domain"]) == set(dataset.domain_names) - set(
        both
    )


def test_the_rise_is_that_of_the_in_domain_score_over_the_last_quarter(dataset):
    options = OPTIONS | {"steps": 8, "target": clinic.NEW_HOSPITAL, "seeds": (0, 1)}
    watched, plain = (compare(["ERM", FEW[2]], dataset, **options, evaluations=k) for k in (8, 0))
    curves = [
        run(ERM, dataset, clinic.NEW_HOSPITAL, steps=8, seed=k, evaluations=8, **DEFAULTS).attrs["curve"]
        for k in (0, 1)
    ]
    assert watched.rises["ERM"] == pytest.approx(np.mean([curve[7] - curve[5] for curve in curves]))
    assert list(watched.rises.index) == ["ERM", "jitter"] and plain.rises.empty
    assert (watched.frame["prob_1"] == plain.frame["prob_1"]).all(), "looking on the way must not change the training"


def test_a_data_set_alone_is_compared_by_the_short_list(dataset):
    result = compare(dataset, target=clinic.NEW_HOSPITAL, **OPTIONS | {"seeds": (0,), "steps": 1})
    assert result.methods == SHORT_LIST and result.methods[0] == "ERM"
    with pytest.raises(ValueError, match="no data set"):
        compare(["ERM"])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["ERM", "corall"], "did you mean 'CORAL'"),
        (["ERM", "CORAL", "ERM"], r"\['ERM'\] twice"),
        ([], "no method is named"),
    ],
)
def test_methods_that_cannot_be_compared_are_named(names, words):
    with pytest.raises(ValueError, match=words):
        contenders(names)


def test_one_domain_or_an_unknown_one_is_named(dataset):
    with pytest.raises(ValueError, match=r"one domain 'hospital A'.*nothing is left to train on"):
        targets_of(dataset.only("hospital A"))
    with pytest.raises(ValueError, match="did you mean 'hospital A'"):
        targets_of(dataset, "hospital a")


def test_patients_in_several_domains_are_said_once(dataset):
    shared = replace(dataset, group=np.array(["p"] * len(dataset)))
    with pytest.warns(UserWarning, match="still train, so the scores are too good") as told:
        compare(["ERM"], shared, target="hospital A", **OPTIONS | {"seeds": (0,), "steps": 1})
    assert len(told) == 1


def test_more_domains_than_a_batch_has_pairs_for_are_trained(dataset):
    """A batch of 48 leaves a single image to each of more than 24 domains."""
    many = replace(
        dataset,
        domain=torch.arange(len(dataset)) // 8,
        domain_names=tuple(f"site {i}" for i in range(30)),
        domains=None,
    )
    result = compare(["ERM"], many, target="site 0", **OPTIONS | {"seeds": (0,), "steps": 1})
    assert len(result.frame) == 8


def test_sources_too_small_for_held_back_images_are_no_error(dataset):
    few = dataset.subset(np.r_[0:60, 60 : 60 + 3])
    plan = Comparison(few, contenders(["ERM"]), ("hospital A",), (0,), steps=2, width=4, evaluations=2)
    result = plan.run(n_jobs=1)
    assert result.rises.empty and len(result.frame) == 60


def test_the_reference_is_compared_on_the_images_that_it_did_not_learn_from(dataset):
    names = ["ERM", "reference: target included"]
    result = compare(names, dataset, target=clinic.NEW_HOSPITAL, **OPTIONS)
    by_hand = []
    for seed in (0, 1):
        runs = result.frame[result.frame["seed"] == seed]
        frames = [runs[runs["algorithm"] == name] for name in names]
        rest = frames[0][frames[0]["index"].isin(frames[1]["index"])]
        assert len(rest) == len(frames[1]) < len(frames[0])
        values = [metrics_by(part, n_resamples=2)["value"].iloc[0] for part in (rest, frames[1])]
        by_hand.append(values[1] - values[0])
    row = result.differences().iloc[0]
    assert row["value"] == pytest.approx(np.mean(by_hand))
    assert row["low"] < row["value"] < row["high"] and "target included" in result.say().data
    assert result.table()["difference"].tolist() == ["", pytest.approx(row["value"], abs=5e-4)]


def test_of_several_trials_the_one_with_the_best_score_inside_is_taken(dataset, monkeypatch):
    plan = Comparison(dataset, contenders(["ERM"]), (clinic.NEW_HOSPITAL,), (0, 1), 3, 3, width=4)
    trials = {0: 0.2, 1: 0.7, 2: 0.7}
    monkeypatch.setattr(
        comparison, "run_contender",
        lambda contender, data, target, settings, *, seed, **_: pretended(target, seed, trials[settings["trial"]]),
    )  # fmt: skip
    monkeypatch.setattr(type(plan.crew[0]), "settings", lambda self, trial: {"trial": trial})
    frame = plan.run(n_jobs=1).frame
    assert frame["prob_1"].tolist() == [0.7] * 4


def pretended(target, seed, quality):
    """A run whose score inside is ``quality`` or so, and whose test image tells which it was."""
    y = np.arange(20) % 2
    score = np.where(np.arange(20) < 20 * quality, y, 1 - y)
    rows = pd.DataFrame({"split": "validation", "domain": "in", "y": y, "prob_1": score, "index": np.arange(20)})
    test = pd.DataFrame({"split": "test", "domain": target, "y": [0, 1], "prob_1": quality, "index": [20, 21]})
    frame = pd.concat([rows, test], ignore_index=True)
    return frame.assign(algorithm="ERM", seed=seed, run=f"{seed}", group="", prob_0=1 - frame["prob_1"], seconds=1.0)


# ------------------------------------------------------------------------------------- stopped and started again

KEPT = {"seeds": (0, 1), "target": ["hospital A", "hospital B"], "steps": 3, "width": 4}
NAMES = ["ERM", "CORAL", "reference: target included"]


def test_a_finished_comparison_trains_nothing_again_and_another_one_does(dataset, tmp_path, monkeypatch):
    first = compare(NAMES, dataset, keep=tmp_path, n_jobs=1, **KEPT)
    assert len(list(tmp_path.iterdir())) == 3 * 2 * 2
    trained = []
    monkeypatch.setattr(comparison, "run_contender", lambda *a, **k: trained.append(a) or run_again(*a, **k))
    again = compare(NAMES, dataset, keep=tmp_path, n_jobs=1, **KEPT)
    pd.testing.assert_frame_equal(again.frame, first.frame)
    pd.testing.assert_frame_equal(again.inside, first.inside)
    assert trained == []
    next(iter(sorted(tmp_path.iterdir()))).write_bytes(b"cut off")
    other = replace(dataset, y=1 - dataset.y)
    for images, options, n in (
        (dataset, {}, 1),
        (dataset, {"seeds": (0, 1, 2)}, 6),
        (dataset, {"steps": 4}, 12),
        (other, {}, 12),
    ):
        trained.clear()
        compare(NAMES, images, keep=tmp_path, n_jobs=1, **KEPT | options)
        assert len(trained) == n, options


def test_a_kept_run_is_named_by_what_it_is_in_a_name_that_every_disk_takes(dataset, tmp_path):
    odd = replace(contenders(["ERM"])[0], name='a/b: "c" 50 %')
    names = replace(dataset, domain_names=("x/../y", *dataset.domain_names[1:]), domains=None)
    plan = Comparison(names, (odd,), ("x/../y",), (3,), 1, 1, width=4, keep=tmp_path)
    plan.run(n_jobs=1)
    (path,) = tmp_path.rglob("*")
    assert re.fullmatch(r"a_b_ _c_ 50 _--x____y--seed 3--trial 0--[0-9a-f]{8,}\.npz", path.name)
    assert plan.missing() == []


run_again = comparison.run_contender
KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.benchmark import test_comparison as t
t.compare(t.NAMES, t.small_clinic(0), keep=sys.argv[1], n_jobs=2, **t.KEPT)
"""


def test_a_comparison_killed_at_a_random_moment_and_started_again_gives_the_undisturbed_one(dataset, tmp_path):
    moment = int(np.random.default_rng().integers(1, 9))  # a new one at each run of the test
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(Path(__file__).parents[2])]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if len(list((tmp_path / "killed").glob("*.npz"))) >= moment:
            break
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in (tmp_path / "killed").glob("*.npz")}
    assert 0 < len(finished) < 12, f"killed after {moment} runs: not in the middle"
    resumed = compare(NAMES, dataset, keep=tmp_path / "killed", n_jobs=1, **KEPT)
    undisturbed = compare(NAMES, dataset, n_jobs=1, **KEPT)
    drop = {"columns": "seconds"}
    pd.testing.assert_frame_equal(resumed.frame.drop(**drop), undisturbed.frame.drop(**drop))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "a finished run was repeated"


def test_the_time_that_is_expected_grows_with_steps_and_with_what_is_missing(dataset, tmp_path):
    plan = Comparison(dataset, contenders(["ERM", "SimCLR"]), ("hospital A",), (0,), steps=50, width=4, keep=tmp_path)
    erm, both = plan.expected_seconds(plan.runs()[:1]), plan.expected_seconds(plan.runs())
    assert 0 < erm < both
    assert plan.expected_seconds([]) == 0 and plan.missing() == plan.runs()
    long = replace(plan, steps=5000)
    assert long.expected_seconds(plan.runs()) > 5 * both


def test_what_needs_colour_is_refused_on_grey_images():
    with pytest.raises(ValueError, match="'grey-scale' needs colour"):
        compare(["ERM", "grey-scale"], small_clinic(0), **OPTIONS)
