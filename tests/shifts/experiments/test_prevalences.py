"""A change of prevalence moves what depends on it; its estimate is right on average, and its errors are its own."""

import numpy as np
import pytest

from medgen_utils.clinic import Hospital
from medgen_utils.shifts.experiments import (
    NUMBERS,
    home_model,
    hospital_numbers,
    interval_coverage,
    over_prevalences,
)

HOME = Hospital("home", irregularity=0.2)


@pytest.fixture(scope="module")
def frame():
    model = home_model(HOME, seed=0, steps=120, n=300)
    return over_prevalences(model, HOME, (0.5, 0.1), n=400, repeats=6)


def test_numbers_of_a_hospital_are_counted_by_hand():
    y = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    score = np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1])
    numbers = hospital_numbers(y, np.stack([1 - score, score], axis=1))
    assert tuple(numbers) == NUMBERS
    assert numbers["sensitivity"] == pytest.approx(2 / 3)
    assert numbers["specificity"] == pytest.approx(4 / 5)
    assert numbers["right alarms"] == pytest.approx(2 / 3)
    assert numbers["AUROC"] == pytest.approx(14 / 15)


def test_without_alarms_none_is_right_or_wrong():
    assert np.isnan(hospital_numbers(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))["right alarms"])


def test_a_rarer_disease_costs_right_alarms_and_not_the_ranking(frame):
    mean = frame.groupby("prevalence").mean()
    assert abs(mean.loc[0.5, "AUROC"] - mean.loc[0.1, "AUROC"]) < 0.03
    assert mean.loc[0.1, "right alarms"] < mean.loc[0.5, "right alarms"] - 0.1
    assert mean.loc[0.1, "corrected error"] < mean.loc[0.1, "calibration error"] + 0.01


def test_estimates_lie_around_the_truth_and_differ_between_repeats(frame):
    for prevalence, estimated in frame.groupby("prevalence")["estimated"]:
        assert abs(estimated.mean() - prevalence) < 3 * 0.05 / np.sqrt(len(estimated))
        assert estimated.nunique() == len(estimated)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    assert 0.88 <= interval_coverage(0.9, 0.1, 0.3, draws=200) <= 0.99
