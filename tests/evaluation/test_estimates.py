"""Estimates hold at every size: they cover, stay in bounds, and their p values and intervals never disagree."""

import numpy as np
import pytest

from medgen_utils.evaluation.delong import auroc_estimate, share_estimate
from medgen_utils.evaluation.estimates import Estimate


def hospital(rng, positives: int, negatives: int, separation: float = 1.5, images: int = 1):
    """Labels, scores and patients, each patient with up to ``images`` images that agree by half."""
    y = np.repeat([1, 0], [positives, negatives])
    units = np.repeat(np.arange(len(y)), rng.integers(1, images + 1, len(y)))
    score = (rng.normal(size=len(y))[units] + rng.normal(size=len(units))) / np.sqrt(2) + separation * y[units]
    return y[units], score, units


@pytest.mark.parametrize(("positives", "negatives", "images"), [(1, 20, 1), (3, 30, 12), (10, 100, 4), (30, 60, 1)])
def test_intervals_cover_and_a_gap_that_is_none_rarely_alarms(positives, negatives, images):
    truth = 0.8556  # of normal scores 1.5 apart
    covered = alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y, score, units = hospital(rng, positives, negatives, images=images)
        here = auroc_estimate(y, [score], units, "here")
        y, score, units = hospital(rng, 100, 200)
        covered += here.interval().low <= truth <= here.interval().high
        alarms += auroc_estimate(y, [score], units, "home").minus(here).p_value() < 0.05
    assert covered >= 0.92 * 200
    assert alarms <= 0.08 * 200


@pytest.mark.parametrize("separation", [-40.0, -1.0, 0.0, 2.0, 40.0])
@pytest.mark.parametrize(("positives", "negatives"), [(1, 1), (1, 30), (5, 5), (40, 40)])
def test_ends_stay_in_bounds_hold_the_value_and_are_no_point(separation, positives, negatives):
    rng = np.random.default_rng(0)
    y, score, units = hospital(rng, positives, negatives, separation, images=3)
    found = auroc_estimate(y, [score], units)
    value, low, high = found.interval()
    assert 0 <= low <= value <= high <= 1
    assert high - low > 0.01
    assert found.interval(0.99).low <= low
    gap = found.minus(auroc_estimate(y[::-1], [score], units))
    assert -1 <= gap.interval().low <= gap.interval().high <= 1


def test_the_p_value_is_below_five_percent_where_the_interval_leaves_zero_out():
    seen = set()
    for seed in range(120):
        rng = np.random.default_rng(seed)
        a, b = (auroc_estimate(*_one(rng, separation), key) for separation, key in ((0.4, "a"), (1.6, "b")))
        for level in (0.8, 0.95, 0.99):
            difference = a.minus(b)
            value, low, high = difference.interval(level)
            outside = not low <= 0 <= high
            seen.add(outside)
            assert outside == (difference.p_value() < 1 - level), (value, low, high)
    assert seen == {True, False}


def _one(rng, separation: float):
    y, score, units = hospital(rng, 8, 20, separation)
    return y, [score], units


def test_a_model_compared_with_itself_differs_by_nothing_and_with_a_near_copy_by_little():
    rng = np.random.default_rng(1)
    y, score, units = hospital(rng, 60, 100)
    first, same = (auroc_estimate(y, [score], units, "a") for _ in range(2))
    near = auroc_estimate(y, [score + 0.05 * rng.normal(size=len(score))], units, "a")
    other = auroc_estimate(y, [score], units, "another hospital")
    assert first.minus(same).interval() == (0, 0, 0)
    assert first.minus(same).p_value() == 1
    width = {name: np.ptp(first.minus(e).interval()) for name, e in {"near": near, "apart": other}.items()}
    assert width["near"] < 0.5 * width["apart"]


def test_the_mean_of_domains_is_narrower_than_each_and_draws_have_the_ends_as_quantiles():
    rng = np.random.default_rng(2)
    estimates = [auroc_estimate(*_one(rng, 1.0), key) for key in range(6)]
    mean = Estimate.mean(estimates)
    assert mean.value == pytest.approx(np.mean([e.value for e in estimates]))
    assert np.ptp(mean.interval()) < min(np.ptp(e.interval()) for e in estimates)
    for estimate in (mean, estimates[0]):
        ends = np.quantile(estimate.draws(40_000, np.random.default_rng(0)), [0.025, 0.975])
        np.testing.assert_allclose(ends, estimate.interval()[1:], atol=0.02)


def test_the_worst_of_several_lies_below_each_and_the_highest_error_above():
    rng = np.random.default_rng(3)
    estimates = [share_estimate([(rng.random(40) < 0.5).astype(float)], np.arange(40), key) for key in range(5)]
    lowest, highest = (Estimate.worst(estimates, 0.95, sign) for sign in (1, -1))
    assert lowest.value == min(e.value for e in estimates)
    assert highest.value == max(e.value for e in estimates)
    assert lowest.low < lowest.value < highest.value < highest.high


def test_patients_that_one_of_two_lacks_count_alike_wherever_they_are_numbered():
    rng = np.random.default_rng(0)
    a, b = rng.random(6), rng.random(5)

    def ends(units):
        """Interval of the difference of all six patients and of the first five of them."""
        return share_estimate([a], units, "same").minus(share_estimate([b], units[:5], "same")).interval()

    assert ends(np.arange(6)) == pytest.approx(ends(np.arange(6)[::-1]))
