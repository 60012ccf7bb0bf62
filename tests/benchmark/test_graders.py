"""Experts teach and judge: labels, settings, what is stored and how it is read."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import clinic, concept_shift
from medgen_utils.benchmark import graders
from medgen_utils.evaluation import auroc

HOSPITALS = clinic.acquisition_hospitals()[:2]
CELLS = replace(clinic.make_clinic(HOSPITALS, n=60, seed=0, size=16), group=np.arange(120).astype(str))
CONFUSION = np.array([[[0.95, 0.05], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.1, 0.9]]])


@pytest.fixture(scope="module")
def votes() -> np.ndarray:
    random = np.random.default_rng(0)
    says_one = CONFUSION[:, CELLS.true_y.numpy(), 1].T
    return (random.random(says_one.shape) < says_one).astype(int)


def invented(votes: np.ndarray, folder) -> None:
    """A work folder of seeds 0 and 1 with log odds that follow the truth, without any training."""
    folder.mkdir()
    for lesson in graders.plan([0, 1]):
        random = np.random.default_rng([lesson.seed, len(lesson.method)])
        index = np.arange(lesson.seed, 120, 2)
        odds = 2 * CELLS.true_y.numpy()[index] - 1 + random.standard_normal(len(index)) - 0.5 * lesson.setting
        about = {
            **lesson._asdict(),
            "validation": 0.8 - 0.1 * (lesson.setting == lesson.seed),
            "steps": 5,
            "seconds": 1.0,
        }
        np.savez(folder / lesson.file, index=index, log_odds=odds.astype(np.float16), about=graders.json.dumps(about))


@pytest.fixture(scope="module")
def frame(votes, tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("work") / "lessons"
    invented(votes, folder)
    graders.pack(folder, folder.parent / graders.FILE)
    return graders.read(CELLS, votes, folder.parent / graders.FILE)


def test_every_expert_teaches_every_method_with_each_of_its_settings():
    lessons = graders.plan([0])
    for teacher in graders.EXPERTS:
        mine = [(lesson.method, lesson.setting) for lesson in lessons if lesson.teacher == teacher]
        assert sorted(mine) == sorted(
            [("ERM", 0), ("ERM, twice the steps", 0)] + [(method, k) for method in graders.ROBUST for k in (0, 1)]
        )
    assert len(set(graders.plan([0, 1]))) == 2 * len(lessons)


def test_scores_keep_the_order_of_the_judges(frame):
    assert frame.index.tolist() == list(range(len(frame)))
    judges = list(dict.fromkeys(frame["domain"]))[::-1]
    turned = pd.concat([frame[frame["domain"] == judge] for judge in judges])
    assert graders.per_seed(turned, ["domain"])["domain"].drop_duplicates().tolist() == judges


@pytest.mark.parametrize("teacher", graders.TEACHERS)
def test_labels_are_those_of_the_teacher(votes, teacher):
    labelled, table = graders.lesson_data(teacher, CELLS, votes)
    shares = {
        "majority": concept_shift.majority_vote(votes, 2),
        "vote shares": votes.mean(axis=1),
        "Dawid-Skene": concept_shift.dawid_skene(votes, 2).posterior[:, 1],
    } | {f"expert {k + 1}": votes[:, k] for k in range(3)}
    found = labelled.y.numpy() if table is None else table["table"][labelled.y.numpy(), 1]
    np.testing.assert_allclose(found, shares[teacher], atol=1e-3)
    assert torch.equal(labelled.x, CELLS.x)


def test_a_teacher_who_is_not_there_is_refused(votes):
    with pytest.raises(ValueError, match="no teacher 'expert 4'"):
        graders.lesson_data("expert 4", CELLS, votes)


def test_a_lesson_sees_test_cells_only_at_the_end_and_repeats_itself(votes):
    lesson = graders.Lesson("expert 2", "co-teaching", 1, 3)
    first, again = (graders.teach(lesson, CELLS, votes, steps=3, width=4) for _ in range(2))
    np.testing.assert_array_equal(first["log_odds"], again["log_odds"])
    assert set(first["index"]) == set(graders.split(CELLS, 3, graders.PARTS)[2].index.tolist())
    other = votes.copy()
    other[first["index"]] = 1 - other[first["index"]]
    changed = graders.teach(lesson, CELLS, other, steps=3, width=4)
    np.testing.assert_array_equal(first["log_odds"], changed["log_odds"])


@pytest.mark.parametrize("method", ["ERM", "ERM, twice the steps", "forward correction"])
def test_a_lesson_is_trained_as_it_says(votes, method, monkeypatch):
    asked, told, fit, robust = {}, [], graders.fit, graders.robust

    def noted(model, train, **options):
        asked.update(options)
        return fit(model, train, **options | {"steps": 1})

    monkeypatch.setattr(graders, "fit", noted)
    monkeypatch.setattr(graders, "robust", lambda *about: told.append(about) or robust(*about))
    monkeypatch.setattr(graders, "predict_probabilities", lambda model, x: np.tile([0.8, 0.2], (len(x), 1)))
    lesson = graders.Lesson("expert 2", method, 0, 3)
    found = graders.teach(lesson, CELLS, votes, steps=5, width=4)
    np.testing.assert_allclose(found["log_odds"], np.log(0.2 / 0.8), rtol=1e-3)
    assert found["about"]["steps"] == asked["steps"] == (10 if method == "ERM, twice the steps" else 5)
    assert asked["learning_rate"] == graders.TRAINING["learning_rate"] and asked["balanced"] is False
    assert (asked["seed"], found["about"]["width"], found["about"]["validation"]) == (3, 4, 0.5)
    for _, confusion, wrong, setting in told:
        train = graders.split(CELLS, 3, graders.PARTS)[0]
        known = concept_shift.dawid_skene(votes[train.index], 2)
        np.testing.assert_array_equal(confusion, known.confusion[1])
        by_hand = known.prevalence[0] * confusion[0, 1] + known.prevalence[1] * confusion[1, 0]
        assert (wrong, setting) == (pytest.approx(by_hand), 0)
    assert len(told) == (method in graders.ROBUST)


def test_a_method_is_chosen_by_the_held_back_cells_of_its_teacher(frame):
    settings = frame[frame["algorithm"].isin(graders.ROBUST)].groupby("seed")["setting"].unique()
    assert settings[0].tolist() == [1] and settings[1].tolist() == [0]


def test_judges_give_their_own_labels_to_the_same_predictions(frame, votes):
    one = frame[(frame["teacher"] == "expert 1") & (frame["algorithm"] == "ERM") & (frame["seed"] == 0)]
    assert set(one["domain"]) == {*graders.EXPERTS, *graders.PANELS}
    for judge, y in graders.judges(votes).items():
        mine = one[one["domain"] == judge]
        np.testing.assert_array_equal(mine["y"], y[mine["index"]])
        np.testing.assert_array_equal(mine["prob_1"], one[one["domain"] == "expert 1"]["prob_1"])


def test_a_method_with_a_missing_setting_waits(votes, tmp_path):
    invented(votes, tmp_path / "lessons")
    (tmp_path / "lessons" / graders.Lesson("expert 2", "co-teaching", 1, 1).file).unlink()
    assert graders.pack(tmp_path / "lessons", tmp_path / graders.FILE) == len(graders.plan([0, 1])) - 2
    frame = graders.read(CELLS, votes, tmp_path / graders.FILE)
    mine = frame[(frame["teacher"] == "expert 2") & (frame["algorithm"] == "co-teaching")]
    assert set(mine["seed"]) == {0}
    table = graders.gains(frame[frame["teacher"] == "expert 2"], ["ERM", "co-teaching"], ["expert 1"])
    assert len(table) == 1 and (table["low"] < table["value"]).all()
    for order in (["expert 2", "expert 1"], ["expert 1", "expert 2"]):
        table = graders.gains(frame[frame["teacher"] == "expert 2"], ["ERM", "co-teaching"], order)
        assert table["judge"].tolist() == order and table.index.tolist() == [0, 1]


def test_filling_runs_what_is_missing_only(votes, tmp_path, monkeypatch):
    said = graders.teach(graders.Lesson("majority", "ERM", 0, 0), CELLS, votes, steps=2, width=4)
    ran = []

    def stand_in(function, jobs, **options):
        for lesson, *_ in jobs:
            ran.append(lesson)
            yield said

    monkeypatch.setattr(graders, "run_side_by_side", stand_in)
    assert graders.fill(tmp_path, CELLS, votes, graders.plan([0])) == len(graders.plan([0]))
    (tmp_path / ran[3].file).unlink()
    assert graders.fill(tmp_path, CELLS, votes, graders.plan([0])) == 1 and ran[-1] == ran[3]


def test_marks_are_means_over_runs_within_their_intervals(frame):
    table = graders.marks(frame[frame["algorithm"] == "ERM"]).set_index(["teacher", "domain"])
    by_run = frame[(frame["teacher"] == "expert 1") & (frame["domain"] == "all 3") & (frame["algorithm"] == "ERM")]
    values = [auroc(part["y"].to_numpy(), part["prob_1"].to_numpy()) for _, part in by_run.groupby("seed")]
    row = table.loc[("expert 1", "all 3")]
    assert row["value"] == pytest.approx(np.mean(values))
    assert row["low"] < min(values) and row["high"] > max(values)


def test_each_expert_teaches_in_turn_and_never_judges_the_own_pupil(frame):
    table = graders.gains_of_robust(frame[frame["algorithm"] != "co-teaching"])
    assert set(table["method"]) == {*graders.ROBUST, "ERM, twice the steps"} - {"co-teaching"}
    assert len(table) == 6 * 3 and (table["teacher"] != table["judge"]).all()
    assert set(table["seeds"]) == {2} and (table["low"] < table["value"]).all()


def test_a_seed_in_which_one_expert_has_not_taught_everything_does_not_count(frame):
    missing = (frame["teacher"] == "expert 3") & (frame["algorithm"] == "co-teaching") & (frame["seed"] == 1)
    longer = (frame["teacher"] == "expert 2") & (frame["algorithm"] == "ERM, twice the steps")
    table = graders.gains_of_robust(frame[~missing & ~longer])
    assert set(table["seeds"]) == {1} and set(table["method"]) == set(graders.ROBUST)


def test_strictness_is_what_lies_along_the_panels_and_noise_what_lies_below():
    shares = {"all 3": 0.1, "expert 1": 0.15, "majority": 0.2, "expert 3": 0.3, "any of 3": 0.3}
    values = {"all 3": 0.9, "expert 1": 0.84, "majority": 0.8, "expert 3": 0.66, "any of 3": 0.7}
    table = pd.DataFrame([[j, 0, shares[j], values[j]] for j in shares], columns=["judge", "seed", "share", "value"])
    row = graders.strictness_or_noise(table, "expert 1", "expert 3").loc[0]
    assert row.tolist() == pytest.approx([0.18, 0.85 - 0.7, 0.03])


def test_a_mark_comes_with_the_share_that_its_judge_calls_atypical(frame, votes):
    table = graders.strictness(frame[frame["algorithm"] == "ERM"])
    assert len(table) == 2 * (len(graders.EXPERTS) + len(graders.PANELS))
    row = table[(table["judge"] == "expert 3") & (table["seed"] == 1)].iloc[0]
    assert row["share"] == pytest.approx(votes[1::2, 2].mean())


def test_kappa_with_a_share_moves_the_line():
    part = pd.DataFrame({"y": [0, 0, 1, 1], "prob_1": [0.1, 0.2, 0.3, 0.4]})
    assert graders.kappa_with(part) == 0
    assert graders.kappa_with(part, 0.5) == 1


def test_a_model_that_knew_the_truth_sets_the_ceiling(frame, votes):
    consensus = concept_shift.dawid_skene(votes, 2)
    table = graders.ceilings(frame, votes, consensus).groupby(["expert", "who"])["value"].agg(["mean", "size"])
    assert table.loc[("expert 2", "another expert"), "size"] == 2
    assert table.loc[("expert 2", "our network"), "size"] == 2
    for expert in graders.EXPERTS:
        assert table.loc[(expert, "who knew the truth"), "mean"] > table.loc[(expert, "another expert"), "mean"]


def test_small_print_says_seeds_and_steps(frame):
    assert "2 seeds" in graders.line(frame) and "5 steps" in graders.line(frame)
