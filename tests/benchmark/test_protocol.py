"""The fair experiment keeps its promises: sealed targets, whole patients, the same search for all."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from medgen_utils import clinic, self_supervision, training
from medgen_utils.benchmark import Task, protocol, run, run_task
from medgen_utils.benchmark.entries import Contender
from medgen_utils.training import ERM, build, fit, flips
from tests.benchmark.small import FEW, HOSPITALS, SMALL, small_clinic


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


def test_the_reference_takes_no_more_of_a_large_target_than_the_sources_can_give_way_to(dataset):
    few = dataset.subset(dataset.only("hospital B").index[:20].tolist() + dataset.only("hospital A").index.tolist())
    frame = short_run(few, target="hospital A", sees_target=True)
    assert len(frame.query("split == 'test'")) == len(few.only("hospital A")) - 10


def test_pretraining_sees_no_label_and_changes_the_start(dataset):
    plain, pretrained = short_run(dataset), short_run(dataset, pretrain=self_supervision.RotNet)
    assert not plain["prob_1"].equals(pretrained["prob_1"])
    start = build(self_supervision.RotNet, dataset, seed=0, width=4)
    fit(start, self_supervision.unlabelled(dataset), steps=2, balanced=False)
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


def test_the_scores_of_a_run_are_those_of_its_predictions(dataset):
    table = run_task(Task(SMALL, FEW[0], (clinic.NEW_HOSPITAL,), 0, 0))
    settings = FEW[0].settings(0)
    options = {"steps": 2, "width": 4, "validation_share": 0.2, "hyperparameters": settings}
    frame = run(ERM, small_clinic(0), clinic.NEW_HOSPITAL, seed=0, **options)
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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_a_run_on_cuda_is_close_to_the_one_on_the_cpu():
    task = Task(SMALL, FEW[0], (clinic.NEW_HOSPITAL,), 0, 0)
    on_cpu, on_cuda = run_task(task, "cpu"), run_task(task, "cuda")
    assert np.allclose(on_cpu["auroc"], on_cuda["auroc"], atol=0.05)


@pytest.mark.parametrize("steps", [8, 16, 20, 100, 500])
def test_a_curve_has_no_more_points_than_asked_for_and_ends_at_the_end(dataset, monkeypatch, steps):
    asked = []

    def no_training(model, train, *, steps, evaluate_every, **options):
        asked.append([step for step in range(1, steps + 1) if step % evaluate_every == 0 or step == steps])
        rows = [{"step": step, "split": "validation", "metric": "auroc", "value": 2 / 3} for step in asked[-1]]
        return training.Fit(pd.DataFrame(rows), {}, 0.0)

    monkeypatch.setattr(protocol, "fit", no_training)
    target, points = clinic.NEW_HOSPITAL, protocol.EVALUATIONS
    frame = run(ERM, dataset, target, seed=0, steps=steps, width=4, evaluations=points)
    points = asked[0]
    assert len(frame.attrs["curve"]) == len(points) <= protocol.EVALUATIONS and points[-1] == steps
    assert steps < 50 or len(points) == protocol.EVALUATIONS
    assert set(frame.attrs["curve"]) == {0.6667}, "the store holds four digits"
    assert max(np.diff([0, *points])) - min(np.diff([0, *points])) < steps / 20 + protocol.EVALUATIONS


def test_the_validation_images_are_not_trained_on_and_change_with_the_seed(dataset, monkeypatch):
    seen = []

    def spy(model, train, **options):
        seen.append((set(train.index.tolist()), set(options["validation"].index.tolist())))
        return fit(model, train, **options)

    monkeypatch.setattr(protocol, "fit", spy)
    for seed in (0, 1):
        short_run(dataset, seed=seed)
    sources = set(dataset.without(clinic.NEW_HOSPITAL).index.tolist())
    for trained, validated in seen:
        assert not trained & validated and trained | validated == sources
    assert seen[0][1] != seen[1][1]


def test_a_contender_with_more_passes_gets_as_many_more_steps():
    once, thrice = (Task(SMALL, replace(FEW[0], passes=passes), (SMALL.targets[0],), 0, 0) for passes in (1, 3))
    assert (once.steps, thrice.steps) == (SMALL.steps, 3 * SMALL.steps)
    assert set(run_task(thrice)["steps"]) == {3 * SMALL.steps}


def test_a_file_is_named_by_all_that_identifies_its_run():
    problem, contender = replace(SMALL, name="a/b"), FEW[0]
    tasks = [
        Task(problem, contender, ("C", "D"), 0, 0), Task(problem, contender, ("C",), 0, 0),
        Task(problem, contender, ("C",), 1, 0), Task(problem, contender, ("C",), 0, 1),
    ]  # fmt: skip
    assert tasks[0].file == f"a b--{contender.name}--C + D--0--0.npz"
    assert len({task.file for task in tasks}) == 4
