"""The checks of chapter evaluation_reports take any right answer, and name what was taken for what."""

import math

import numpy as np
import pandas as pd

from medgen_utils.exercises import check


def counted_alarms(sensitivity, specificity, prevalence, n=10**9):
    sick = prevalence * n
    return sensitivity * sick / (sensitivity * sick + (n - sick) * (1 - specificity))


def test_alarms_may_be_counted_in_patients():
    assert check("reports.1", counted_alarms).passed
    assert "share of the sick" in check("reports.1", lambda se, sp, share: se, hint=0).text


def test_patients_may_be_counted_up():
    def counted(sensitivity, margin, prevalence):
        n = 1
        while 1.96 * math.sqrt(sensitivity * (1 - sensitivity) / (n * prevalence)) > margin:
            n += 1
        return n

    assert check("reports.2", counted).passed
    rounded = lambda *a: counted(*a) - 1  # noqa: E731
    assert "round up" in check("reports.2", rounded, hint=0).text


def threshold_of(frame, home, sensitivity, sick_only):
    sick = frame[frame["malignant"] == 1]
    lesions = sick if sick_only else frame
    threshold = np.quantile(sick.loc[sick["hospital"] == home, "plain"], 1 - sensitivity)
    return {name: (part["plain"] >= threshold).mean() for name, part in lesions.groupby("hospital")}


def test_a_sensitivity_is_a_series_and_a_share_of_the_sick():
    assert check("reports.3", lambda *a: pd.Series(threshold_of(*a, True))).passed
    assert "Return a Series" in check("reports.3", lambda *a: threshold_of(*a, True), hint=0).text
    assert "malignant lesions only" in check("reports.3", lambda *a: pd.Series(threshold_of(*a, False)), hint=0).text
