"""The checks of chapter outlook take any right answer, and see thresholds and numbers for one case only."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from medgen_utils.clinic import Hospital
from medgen_utils.exercises import check

OURS = Hospital("ours")


def test_images_may_be_counted_with_fractions():
    def counted(memory, weight):
        exact = Fraction(str(weight))
        return -(-exact * memory // (1 - exact))

    assert check("outlook.1", counted).passed
    assert "more than it takes" in check("outlook.1", lambda *a: 1000, hint=0).text


def test_a_threshold_may_be_a_quantile_of_the_right_kind():
    def quantile(charts, rate):
        largest = charts.max(axis=1)
        return np.quantile(largest, (1 - rate) * (len(largest) + 1) / len(largest), method="inverted_cdf")

    assert check("outlook.2", quantile).passed


def test_a_threshold_must_follow_the_number_of_streams():
    said = check("outlook.2", lambda charts, rate: np.sort(charts.max(axis=1))[min(189, len(charts) - 1)], hint=0).text
    assert "where do these two enter?" in said


@pytest.mark.parametrize(
    ("seen", "said"),
    [((-0.01, None), "not enough harm"), ((-0.2, 14), "alarms in month 14"), ((-0.2, None), "nobody is told")],
)
def test_harm_must_be_large_and_silent(seen, said):
    hospital = replace(OURS, label_flips=0.2)
    assert said in check("outlook.3", hospital, watched=lambda changed: seen, hint=0).text


def test_what_is_watched_is_a_hospital():
    assert "Return a hospital" in check("outlook.3", {"label_flips": 0.2}, watched=None, hint=0).text
