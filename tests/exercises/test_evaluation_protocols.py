"""The checks of chapter evaluation_protocols take any right answer, and see what only looks like a split."""

import numpy as np
import pandas as pd

from medgen_utils.exercises import check


def test_seeds_may_be_counted_up():
    def counted(sd, margin):
        k = 1
        while 1.96 * sd * (2 / k) ** 0.5 >= margin:
            k += 1
        return k

    assert check("evaluation.1", counted).passed
    assert "put it into the formula" in check("evaluation.1", lambda sd, margin: 30, hint=0).text
    assert "whole number" in check("evaluation.1", lambda sd, margin: 2 * (1.96 * sd / margin) ** 2, hint=0).text


def by_a_loop(patient, share, seed):
    random = np.random.default_rng(seed)
    names = sorted(set(patient))
    drawn = {name for name in names if random.random() < share}
    return [name in drawn for name in patient]


def test_patients_may_be_drawn_one_by_one():
    assert check("evaluation.2", by_a_loop).passed


def test_a_draw_that_does_not_repeat_is_told():
    fresh = np.random.default_rng()
    said = check("evaluation.2", lambda patient, share, seed: by_a_loop(patient, share, fresh), hint=0).text
    assert "The same seed gives another split" in said


def threshold_of(frame, home, sensitivity, sick_only):
    sick = frame[frame["malignant"] == 1]
    lesions = sick if sick_only else frame
    threshold = np.quantile(sick.loc[sick["hospital"] == home, "erm"], 1 - sensitivity)
    return {name: (part["erm"] >= threshold).mean() for name, part in lesions.groupby("hospital")}


def test_a_sensitivity_is_a_series_and_a_share_of_the_sick():
    assert check("evaluation.3", lambda *a: pd.Series(threshold_of(*a, True))).passed
    assert "Return a Series" in check("evaluation.3", lambda *a: threshold_of(*a, True), hint=0).text
    assert "malignant lesions only" in check("evaluation.3", lambda *a: pd.Series(threshold_of(*a, False)), hint=0).text
