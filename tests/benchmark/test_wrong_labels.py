"""Wrong labels at the clinic, where every claim about them can be held against the truth."""

import numpy as np
import pytest

from medgen_utils import concept_shift
from medgen_utils.benchmark import wrong_labels
from medgen_utils.evaluation import auroc


def test_the_second_setting_believes_half_of_the_noise():
    matrix = [[0.9, 0.1], [0.4, 0.6]]
    for method in ("forward correction", "co-teaching"):
        (_, full), (_, half) = (wrong_labels.robust(method, matrix, 0.2, k) for k in (0, 1))
        full, half = (np.asarray(next(iter(p.values()))) for p in (full, half))
        none = np.eye(2) if method == "forward correction" else 0.0
        np.testing.assert_allclose(half, (full + none) / 2)
    with pytest.raises(ValueError, match="setting=2"):
        wrong_labels.robust("ERM", matrix, 0.2, 2)
    with pytest.raises(ValueError, match="no method 'magic'"):
        wrong_labels.robust("magic", matrix, 0.2)


def test_flips_can_be_told_wrongly():
    right, wrong = (wrong_labels.flipped(0.2, "forward correction", 0, told, steps=2, width=4) for told in (None, 0.4))
    assert len(right) == 600 and set(right["told"]) == {0.2} and set(wrong["told"]) == {0.4}
    assert not np.allclose(right["prob_1"], wrong["prob_1"])


def test_graders_with_a_shared_habit_agree_more_and_are_right_less():
    y, free = wrong_labels.clinic_graders(0.0, 0.2, n=600)
    same, habit = wrong_labels.clinic_graders(0.9, 0.02, n=600)
    np.testing.assert_array_equal(y, same)
    agreement = [concept_shift.cohen_kappa(v[:, 0], v[:, 1]) for v in (free, habit)]
    right = [(concept_shift.majority_vote(v, 2) == y).mean() for v in (free, habit)]
    assert agreement[1] > agreement[0] + 0.2 and right[1] < right[0] - 0.05
    assert (free == y[:, None]).mean() == pytest.approx(0.8, abs=0.03)


def test_a_comparison_is_a_result_with_a_baseline_and_seeds():
    result = wrong_labels.compare_flipped(0.2, (0, 1), ("ERM", "co-teaching"), steps=2, width=4)
    assert result.methods == ("ERM", "co-teaching") and result.about.steps == 2
    assert result.differences()["interval"].tolist() == ["over patients and seeds"]
    table = wrong_labels.points({0.2: result, 0.4: result})
    assert table.groupby("flips").size().to_dict() == {"20 %": 4, "40 %": 4}


def test_the_table_beside_the_truth_shows_a_habit_that_the_method_cannot_see():
    cases = {
        "free": wrong_labels.clinic_graders(0.0, 0.2, n=900),
        "habit": wrong_labels.clinic_graders(0.9, 0.02, n=900),
    }
    table = wrong_labels.beside_the_truth(cases)
    assert table.loc["specificity it estimates", "free"] == pytest.approx(
        table.loc["true specificity", "free"], abs=0.06
    )
    assert table.loc["specificity it estimates", "habit"] > table.loc["true specificity", "habit"] + 0.2
    assert table.loc["mean kappa", "habit"] > table.loc["mean kappa", "free"]
    assert table.loc["consensus is right", "habit"] < table.loc["consensus is right", "free"]


def test_recorded_labels_are_wrong_at_the_asked_rate_in_both_classes():
    y = np.repeat([0, 1], 20_000)
    recorded = wrong_labels.record(y, 0.2)
    assert (recorded != y)[y == 0].mean() == pytest.approx(0.2, abs=0.01)
    assert (recorded != y)[y == 1].mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(wrong_labels.record(y, 0.0), y)


def test_a_score_learned_without_errors_ranks_new_patients(monkeypatch):
    trained, fit = [], wrong_labels.fit
    monkeypatch.setattr(wrong_labels, "STEPS", 30)
    monkeypatch.setattr(
        wrong_labels, "fit", lambda *about, **how: trained.append((about[1], how)) or fit(*about, **how)
    )
    y, score = wrong_labels.scored_patients(n=200)
    assert y.shape == score.shape == (200,) and auroc(y, score) > 0.6
    ((train, how),) = trained
    assert train.domain_names == ("hospital A", "hospital B", "hospital C") and how["steps"] == 30
    assert train.domain.bincount().tolist() == [400] * 3 and (train.y == train.true_y).all()


def test_a_flip_is_a_wrong_label_of_a_source_and_never_of_a_tested_patient(monkeypatch):
    trained, fit = [], wrong_labels.fit
    monkeypatch.setattr(
        wrong_labels, "fit", lambda *about, **how: trained.append((about[1], how)) or fit(*about, **how)
    )
    frames = [wrong_labels.flipped(0.3, "ERM", seed, steps=2, width=4) for seed in (0, 1)]
    for seed, (train, how) in enumerate(trained):
        assert train.domain.bincount().tolist() == [60] * 3 and (how["steps"], how["seed"]) == (2, seed)
        assert (train.y != train.true_y).float().mean() == pytest.approx(0.3, abs=0.1) and how["balanced"] is False
    new = wrong_labels.clinic.make_clinic([wrong_labels.clinic.grader_hospitals()[-1]], 600, seed=101)
    assert frames[1]["y"].tolist() == new.true_y.tolist() != frames[0]["y"].tolist()
