"""Intervals cover, and agree with SciPy where it has them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medgen_utils.evaluation import Interval, UndefinedMetric, sign_flip_test, t_interval, with_interval, with_repeats
from medgen_utils.evaluation.intervals import holm, percentiles


def test_the_interval_over_domains_is_students_t():
    values = [0.8, 0.7, 0.9, 0.6]
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert t_interval(values)[1:] == pytest.approx(expected)
    with pytest.warns(UndefinedMetric):
        assert np.isnan(t_interval([0.8]).low)


@pytest.mark.parametrize(("n", "smallest"), [(2, 0.5), (4, 0.125), (6, 2 / 64), (10, 2 / 1024)])
def test_sign_flip_test_of_equal_signs_reaches_its_smallest_p_value(n, smallest):
    result = sign_flip_test(np.linspace(0.01, 0.05, n))
    assert result.p_value == pytest.approx(smallest)
    assert result.smallest_p_value == pytest.approx(smallest)


def test_sign_flip_test_is_that_of_scipy():
    d = np.random.default_rng(1).normal(0.5, 1, 8)
    expected = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_test(d).p_value == pytest.approx(expected)


def test_four_hospitals_do_not_become_four_hundred_replicates():
    assert sign_flip_test([0.02, 0.03, 0.01, 0.02]).p_value >= 0.125


def test_holms_correction_comes_in_the_order_of_its_p_values():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.03, 0.9])), [0.09, 0.04, 0.09, 0.9])


def test_holms_correction_never_exceeds_one_and_of_one_p_value_is_itself():
    np.testing.assert_array_equal(holm(np.array([0.7, 0.6])), [1.0, 1.0])
    np.testing.assert_array_equal(holm(np.array([0.2])), [0.2])


def test_repeats_widen_an_interval_over_patients_by_their_own():
    seeds = [0.79, 0.80, 0.81]
    half = t_interval(seeds).high - 0.8
    value, low, high = with_repeats(Interval(0.8, 0.77, 0.84), seeds)
    assert (0.8 - low, high - 0.8) == pytest.approx((np.hypot(0.03, half), np.hypot(0.04, half)))
    assert value == 0.8 and low < 0.77 and high > 0.84


@pytest.mark.parametrize("repeats", [[0.8], [0.8, 0.8, 0.8]])
def test_repeats_without_a_difference_widen_nothing(repeats):
    assert with_repeats(Interval(0.8, 0.7, 0.9), repeats) == pytest.approx((0.8, 0.7, 0.9))


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_percentiles_leave_as_much_below_as_above(level):
    low, high = percentiles(np.arange(1001.0), level)
    assert (low, high) == pytest.approx((500 * (1 - level), 500 * (1 + level)))


def test_repeats_widen_an_interval_as_much_wherever_it_lies():
    wide = [np.subtract(with_repeats(Interval(v, v - 0.3, v + 0.4), [v - 0.1, v + 0.1]), v) for v in (-2.0, 0.1, 3.0)]
    np.testing.assert_allclose(wide, wide[:1] * 3)


TABLE = pd.DataFrame({"domain": ["Rio"], "value": [0.123], "low": [-0.004], "high": [0.25], "units": [4]})


@pytest.mark.parametrize(
    "found",
    [
        Interval(0.123, -0.004, 0.25), (0.123, -0.004, 0.25), TABLE.loc[0], next(TABLE.itertuples()),
        pd.Series({"mean": 0.123, "min": -0.004, "max": 0.25}),
    ],
)  # fmt: skip
def test_a_value_with_its_interval_reads_the_same_from_anything_that_holds_one(found):
    assert with_interval(found) == "+0.12 (+0.00 to +0.25)"
    assert with_interval(found, "+.3f") == "+0.123 (-0.004 to +0.250)"
    assert with_interval(found, ".0%") == "12% (-0% to 25%)"
