"""The distances are those of the law they state, and the monitor keeps the rate of false alarms that it states."""

import math

import numpy as np
import pytest
from scipy import stats

from medgen_utils import monitoring, shifts

CHARTS = pytest.mark.parametrize("chart", [monitoring.cusum, monitoring.each_month_alone], ids=lambda f: f.__name__)


@pytest.mark.parametrize("ties", [False, True], ids=["continuous", "ties"])
@pytest.mark.parametrize(("m", "n"), [(40, 7), (100, 50), (9, 30)])
def test_distance_is_the_two_sample_kolmogorov_smirnov_statistic(m, n, ties):
    rng = np.random.default_rng(m)
    reference, months = rng.beta(2, 5, m), rng.beta(3, 5, (4, n))
    if ties:
        reference, months = reference.round(1), months.round(1)
    expected = [stats.ks_2samp(reference, month).statistic * math.sqrt(m * n / (m + n)) for month in months]
    np.testing.assert_allclose(monitoring.monthly_distances(reference, months), expected)


def test_distance_is_that_of_black_box_shift_detection():
    rng = np.random.default_rng(0)
    a, b = rng.beta(2, 5, 80), rng.beta(4, 5, 30)
    expected = shifts.black_box_shift_detection(*(np.stack([1 - p, p], 1) for p in (a, b))).statistic
    scale = math.sqrt(80 * 30 / 110)
    assert monitoring.monthly_distances(a, b[None])[0] == pytest.approx(expected * scale)


def test_distances_do_not_depend_on_the_scale_of_the_outputs():
    rng = np.random.default_rng(0)
    reference, months = rng.random(50), rng.random((6, 20))
    moved = monitoring.monthly_distances(np.log(reference), np.log(months))
    np.testing.assert_array_equal(monitoring.monthly_distances(reference, months), moved)


def test_quiet_distances_have_the_mean_and_spread_of_kolmogorovs_law():
    law = stats.kstwobign
    assert law.mean() == pytest.approx(monitoring.QUIET_MEAN, abs=1e-3)
    assert law.std() == pytest.approx(monitoring.QUIET_SD, abs=1e-3)


@pytest.mark.parametrize(
    ("values", "drift", "expected"),
    [([1, 1, 1], 1, [0, 0, 0]), ([3, 0, 4], 1, [2, 1, 4]), ([0, 0, 2], 1, [0, 0, 1]), ([2, 2, 2], 1.5, [0.5, 1, 1.5])],
)
def test_cusum_adds_what_exceeds_the_drift(values, drift, expected):
    np.testing.assert_allclose(monitoring.cusum(np.array(values), drift), expected)


def test_cusum_of_many_streams_is_that_of_each():
    values = np.random.default_rng(0).random((5, 12)) * 2
    np.testing.assert_array_equal(monitoring.cusum(values), [monitoring.cusum(row) for row in values])


@CHARTS
@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_stated_false_alarm_rate_holds_on_quiet_streams_of_another_law(chart, rate):
    design = {"n_reference": 127, "month_size": 23, "n_months": 12}  # no common factor: many possible distances
    threshold = monitoring.alarm_threshold(rate, **design, seed=0, chart=chart, n_streams=1500)
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(1500):
        reference, months = rng.gamma(0.7, size=127), rng.gamma(0.7, size=(12, 23))
        values = chart(monitoring.monthly_distances(reference, months))
        alarms += monitoring.first_alarm(values, threshold) is not None
    interval = stats.binomtest(alarms, 1500).proportion_ci(0.99)
    assert interval.low <= rate <= interval.high


@CHARTS
def test_lasting_change_is_noticed_after_it_happens(chart):
    design = {"n_reference": 300, "month_size": 40, "n_months": 24}
    threshold = monitoring.alarm_threshold(0.01, **design, seed=0, chart=chart, n_streams=500)
    rng = np.random.default_rng(2)
    months = np.concatenate([rng.normal(0, 1, (12, 40)), rng.normal(1, 1, (12, 40))])
    values = chart(monitoring.monthly_distances(rng.normal(0, 1, 300), months))
    assert 13 <= monitoring.first_alarm(values, threshold) <= 15


def test_cusum_notices_small_lasting_changes_more_often_than_months_alone():
    design = {"n_reference": 400, "month_size": 40, "n_months": 24}
    noticed = {}
    for chart in (monitoring.cusum, monitoring.each_month_alone):
        threshold = monitoring.alarm_threshold(0.05, **design, seed=0, chart=chart, n_streams=500)
        rng = np.random.default_rng(3)
        streams = [(rng.normal(0, 1, 400), rng.normal(0.3, 1, (24, 40))) for _ in range(60)]
        alarms = [monitoring.first_alarm(chart(monitoring.monthly_distances(*s)), threshold) for s in streams]
        noticed[chart.__name__] = sum(alarm is not None for alarm in alarms)
    assert noticed["cusum"] > noticed["each_month_alone"] + 10


def test_lower_rates_ask_for_higher_thresholds():
    design = {"n_reference": 60, "month_size": 10, "n_months": 6, "seed": 0, "n_streams": 300}
    thresholds = [monitoring.alarm_threshold(rate, **design) for rate in (0.5, 0.1, 0.02)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] < thresholds[-1]


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="probability between 0 and 1"):
        monitoring.alarm_threshold(rate, n_reference=10, month_size=5, n_months=3, seed=0)


def test_a_rate_too_low_to_be_simulated_is_refused():
    with pytest.raises(ValueError, match="simulate more"):
        monitoring.alarm_threshold(0.001, n_reference=10, month_size=5, n_months=3, seed=0, n_streams=100)


@pytest.mark.parametrize(("values", "expected"), [([0, 1, 0], None), ([0, 3, 0], 2), ([3], 1), ([2, 2], None)])
def test_first_alarm_is_the_first_month_above_the_threshold(values, expected):
    assert monitoring.first_alarm(np.array(values), 2.0) == expected


@CHARTS
def test_the_threshold_is_the_stated_order_statistic_of_the_quiet_streams(chart):
    design = {"n_reference": 50, "month_size": 9, "n_months": 5, "n_streams": 99, "seed": 4}
    largest = sorted(chart(distances).max() for distances in monitoring.quiet_streams(50, 9, 5, 99, 4))
    threshold = monitoring.alarm_threshold(0.1, **design, chart=chart)
    assert threshold == largest[89]  # ceil(.9 * 100) = the 90th of 99


# How late


def test_a_stream_that_nobody_notices_is_late_and_not_missing():
    charts = np.array([[0, 0, 0, 2], [0, 0, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0], [2, 0, 2, 2]])
    late = monitoring.delays(charts, threshold=1, change=2)
    np.testing.assert_array_equal(late, [2, 1, np.inf, np.inf])  # the last one spoke too early
    assert np.median(late) == np.inf  # over the noticed ones alone it would be 1.5
    np.testing.assert_allclose(monitoring.noticed_by(late, 2), [0.25, 0.5])


def test_the_unnoticed_follow_the_curve_of_kaplan_and_meier():
    """Product of the shares that survive each month among those still at risk."""
    rng = np.random.default_rng(0)
    late = np.where(rng.random(300) < 0.7, rng.integers(1, 13, 300).astype(float), np.inf)
    survival = 1.0
    for month, noticed in enumerate(monitoring.noticed_by(late, 12), 1):
        at_risk = (late >= month).sum()
        survival *= 1 - (late == month).sum() / at_risk
        assert 1 - noticed == pytest.approx(survival)


def test_a_value_on_the_threshold_is_no_alarm():
    assert monitoring.delays(np.array([[0.0, 1.0, 1.5]]), 1.0, 1).tolist() == [2]


def test_a_change_after_the_end_is_an_error():
    with pytest.raises(ValueError, match="change=3"):
        monitoring.delays(np.zeros((2, 3)), 1, 3)
