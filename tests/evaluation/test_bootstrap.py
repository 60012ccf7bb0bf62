"""The bootstrap covers, is SciPy's on the same resamples, and is never certain of a few patients."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from medgen_utils.evaluation import accuracy, auroc, bootstrap_interval
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


@pytest.mark.parametrize("n", [50, 30_000])
def test_few_resamples_of_many_images_are_held_at_once(n):
    """Counts of 8 bytes, 32 MB of them at most; every resample is made, and they are those of one heap."""
    held = []

    def prevalence(y, score, weights=None):
        weights = np.ones((1, len(y))) if weights is None else weights
        held.append(weights.shape)
        return (weights * y).mean(1)

    y, p = binary(n, 3)
    bootstrap_interval(prevalence, y, p, n_resamples=400)
    rows = [shape[0] for shape in held if shape[0] > 1]
    assert sum(rows) == 400 and max(rows) * n * 8 <= 2**25
    assert max(rows) == min(400, 2**22 // n)


@pytest.mark.parametrize("metric", [auroc, accuracy])
@pytest.mark.parametrize("method", ["bootstrap", "delong"])
def test_a_perfect_score_of_a_few_patients_is_not_certain(metric, method):
    value, low, high = bootstrap_interval(metric, np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), method=method)
    assert value == high == 1
    assert 0 < low < 0.7
