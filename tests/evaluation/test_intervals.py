"""Intervals cover, and agree with SciPy where it has them."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from medgen_utils.evaluation import (
    UndefinedMetric,
    auroc,
    bootstrap_interval,
    sign_flip_test,
    t_interval,
)
from tests.evaluation.examples import binary


def test_the_interval_covers_the_true_auroc_in_93_to_97_percent_of_1000_draws():
    truth = stats.norm.cdf(1 / np.sqrt(2))
    covered = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], 100)
        interval = bootstrap_interval(auroc, y, rng.normal(y, 1), seed=seed)
        covered += interval.low <= truth <= interval.high
    assert 930 <= covered <= 970


def test_patients_as_units_cover_where_images_as_units_do_not():
    covered = np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(60), 8)
        y = np.repeat([0, 1], 240)
        score = rng.normal(y, 0.6) + np.repeat(rng.normal(0, 0.8, 60), 8)
        for i, units in enumerate((groups, None)):
            interval = bootstrap_interval(auroc, y, score, units, n_resamples=300, seed=seed)
            covered[i] += interval.low <= stats.norm.cdf(1 / np.sqrt(2)) <= interval.high
    assert covered[0] / 300 > 0.9
    assert covered[1] / 300 < 0.7


def test_bootstrap_interval_is_that_of_scipy_on_the_same_resamples():
    y, p = binary(80, 2, decimals=1)
    ours = bootstrap_interval(auroc, y, p, n_resamples=200, seed=9)
    rows = (np.arange(80),)
    theirs = stats.bootstrap(
        rows,
        lambda i: sklearn_metrics.roc_auc_score(y[i], p[i]),
        n_resamples=200,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(9),
    )
    assert ours[1:] == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


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
