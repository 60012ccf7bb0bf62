"""Estimates hold at every size: they cover, stay in bounds, and their p values and intervals never disagree."""

import numpy as np
import pytest
from scipy import stats

from medgen_utils.evaluation.delong import auroc_estimate, share_estimate
from medgen_utils.evaluation.estimates import CONFIDENCE, Estimate, Part, scale_of, variance
from medgen_utils.evaluation.power import auroc_variance


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


@pytest.mark.parametrize("sizes", [(20.0,), (300.0,), (8.0, 30.0), (200.0, 90.0)])
@pytest.mark.parametrize(("value", "scale"), [(0.5, 1.0), (0.83, 0.6), (0.97, 2.5)])
def test_an_end_is_where_the_value_would_be_as_far_from_it_as_the_level_allows(value, scale, sizes):
    """(end - value)^2 = q^2 scale variance(end), or the end of what a share can be; q is Student's."""
    part = Part(value, sizes, scale, np.zeros(1))
    degrees = sum(sizes) - len(sizes)
    for end, border in zip(part.ends, (0.0, 1.0), strict=True):
        q = -stats.t.ppf(stats.norm.cdf(-CONFIDENCE), degrees)
        gap = (end - value) ** 2 - q**2 * scale * variance(end, sizes)
        free = np.abs(end - border) > 1e-6
        np.testing.assert_allclose(gap[free], 0, atol=1e-7)
        assert free.sum() > 20 and (np.diff(np.abs(end - value)) > -1e-9).all() and end[0] == pytest.approx(value)


def test_what_many_patients_show_counts_and_what_few_show_is_drawn_to_the_binomial():
    """Each of n patients adds as much: as many have been seen, and the prior weighs as 8 of them."""
    for n in (9, 41, 4001):
        sizes, influence = (float(n),), np.full(n, 1.0)
        base = float(variance((0.3 * n + 0.5) / (n + 1), sizes))
        weight = (n - 1) / (n - 1 + 8)
        for ratio in (1.0, 3.0):
            found = scale_of(0.3, influence, n, sizes, sizes, ratio * base)
            assert found == pytest.approx(weight * ratio + 1 - weight)
        lucky = scale_of(0.3, influence, n, sizes, sizes, 0.5 * base)
        assert lucky == pytest.approx(weight * 0.5 + 1 - weight), "less than the binomial is luck, in part"
        assert scale_of(0.3, influence, n, sizes, sizes, 0.5 * base, least=1.0) == pytest.approx(1)
        many = (10.0 * n,)  # ten images a patient that agree by nothing: a tenth of the variance, in the end
        alone = float(variance((0.3 * n + 0.5) / (n + 1), many)) / base
        assert scale_of(0.3, influence, n, sizes, many, alone * base) == pytest.approx(alone**weight)
    one = scale_of(0.3, np.eye(40)[0], 40, (40.0,), (40.0,), 9 * float(variance(12.5 / 41, (40.0,))))
    assert one == pytest.approx(1 + 8 * 2 / 10), "one patient of forty counts as three that vary"
    assert scale_of(0.3, np.zeros(5), 5, (5.0,), (5.0,), 0.0) == 1


@pytest.mark.parametrize("same", [True, False])
def test_parts_without_any_spread_vary_together_as_their_signs_say(same):
    """Nothing is seen of two shares where all patients agree: parts of one sign count as one, others as unrelated."""
    a, b = (Estimate((Part(v, (9.0,), 1.0, np.zeros(9)),), (1.0,), ("home",)) for v in (1.0, 0.0))
    both = Estimate.mean([a, b]) if same else a.minus(b)
    low, high = both.interval()[1:]
    widths = [e.interval() for e in (a, b)]
    below, above = (1 - widths[0].low), widths[1].high
    expected = (0.5 * below, 0.5 * above) if same else (np.hypot(below, above), 0.0)
    assert (both.value - low, high - both.value) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("sizes", [(1, 1), (20, 20), (8, 40), (3, 30)])
def test_an_auroc_varies_as_hanley_and_mcneil_say_with_both_classes_at_their_mean(sizes):
    """Newcombe's method 5 puts the mean of both numbers where the formula has one less than either."""
    mean = sum(sizes) / 2
    for t in (0.5, 0.8, 0.97):
        expected = auroc_variance(t, mean, mean) * mean**2 / np.prod(sizes)
        assert variance(np.array(t), sizes) == pytest.approx(expected)
