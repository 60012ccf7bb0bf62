"""Own DeLong: the value, and its variance over patients, are those of a plain double loop."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medgen_utils.evaluation import auroc, average_precision
from medgen_utils.evaluation.by_domain import METRICS
from medgen_utils.evaluation.delong import (
    ESTIMATES,
    auroc_estimate,
    delong,
    error_estimate,
    estimate,
    placements,
    rate_estimate,
    share_estimate,
)
from tests.evaluation.examples import binary, multiclass


def brute(y: np.ndarray, score: np.ndarray, units: np.ndarray) -> tuple[float, float]:
    """Obuchowski 1997, equations 1 to 6, by loops over all pairs."""
    positives, negatives = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    wins = np.array([[(score[i] > score[j]) + (score[i] == score[j]) / 2 for j in negatives] for i in positives])
    value, m, n = wins.mean(), len(positives), len(negatives)
    x = {u: sum(wins[k].mean() - value for k, i in enumerate(positives) if units[i] == u) for u in set(units)}
    z = {u: sum(wins[:, k].mean() - value for k, j in enumerate(negatives) if units[j] == u) for u in set(units)}
    counts = [len(set(units[y == 1])), len(set(units[y == 0])), len(set(units))]
    s10 = counts[0] / ((counts[0] - 1) * m) * sum(v**2 for v in x.values())
    s01 = counts[1] / ((counts[1] - 1) * n) * sum(v**2 for v in z.values())
    s11 = counts[2] / (counts[2] - 1) * sum(x[u] * z[u] for u in set(units))
    return value, s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("decimals", [8, 1])
@pytest.mark.parametrize("images", [1, 3])
def test_value_and_variance_are_those_of_all_pairs(decimals, images):
    y, p = binary(60, seed=images, decimals=decimals)
    units = np.arange(60) // images
    found = delong(y == 1, p, units, units.max() + 1)
    assert (found.value, found.variance) == pytest.approx(brute(y, p, units), rel=1e-12)
    assert found.value == pytest.approx(roc_auc_score(y, p), abs=1e-12)


def test_with_one_image_a_patient_it_is_the_variance_of_delong():
    y, p = binary(80, seed=4)
    positive = y == 1
    placed = placements(positive, p)
    expected = placed[positive].var(ddof=1) / positive.sum() + placed[~positive].var(ddof=1) / (~positive).sum()
    found = delong(positive, p, np.arange(80), 80).variance
    cross = 2 * 80 / 79 * 0.0  # no patient holds both classes
    assert found == pytest.approx(expected + cross, rel=1e-12)


def test_the_estimate_of_many_patients_has_the_ends_of_the_logit_interval():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 5000)
    score = rng.normal(y)
    low, high = auroc_estimate(y, [score], np.arange(10_000)).interval()[1:]
    found = delong(y == 1, score, np.arange(10_000), 10_000)
    half = 1.96 * found.variance**0.5
    assert (low, high) == pytest.approx((found.value - half, found.value + half), abs=2e-4)


def test_several_classes_are_averaged_and_an_absent_one_is_left_out():
    y, p = multiclass(300, 4, seed=1)
    assert auroc_estimate(y, [p], np.arange(300)).value == pytest.approx(auroc(y, p))
    y[y == 3] = 0
    one_by_one = [roc_auc_score(y == k, p[:, k]) for k in range(3)]
    assert auroc_estimate(y, [p], np.arange(300)).value == pytest.approx(np.mean(one_by_one))
    assert np.isnan(auroc_estimate(np.zeros(5, int), [p[:5]], np.arange(5)).value)


def test_one_class_has_no_auroc():
    with pytest.raises(ValueError, match="5 positives and 0 negatives"):
        delong(np.ones(5, bool), np.arange(5.0), np.arange(5), 5)


def test_a_share_of_single_images_is_inside_wilsons_interval_and_no_share_is_certain():
    x = np.r_[np.ones(7), np.zeros(13)]
    value, low, high = share_estimate([x], np.arange(20)).interval()
    q, n = 2.093, 20  # Student's t with 19 degrees of freedom
    centre, half = (0.35 + q**2 / (2 * n)) / (1 + q**2 / n), q * (0.35 * 0.65 / n + q**2 / (4 * n**2)) ** 0.5
    expected = centre - half / (1 + q**2 / n), centre + half / (1 + q**2 / n)
    assert (value, low, high) == pytest.approx((0.35, *expected), abs=0.01)
    assert share_estimate([np.ones(1)], np.arange(1)).interval().low < 0.1
    assert share_estimate([np.ones(30)], np.zeros(30, int)).interval().low < 0.1  # one patient with thirty images


def test_rates_are_those_of_the_threshold():
    y, p = binary(200, seed=0)
    assert rate_estimate(y, [p], np.arange(200), 1, 0.4).value == pytest.approx((p[y == 1] >= 0.4).mean())
    assert rate_estimate(y, [p], np.arange(200), 0, 0.4).value == pytest.approx((p[y == 0] < 0.4).mean())


def test_the_error_of_right_probabilities_is_noise_as_often_as_it_says():
    alarms = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        p = rng.beta(1, 4, 60)
        y = (rng.random(60) < p).astype(int)
        found = error_estimate(y, [p], np.arange(60))
        assert found.value == pytest.approx((p - y).mean())
        alarms.append(found.p_value() < 0.05)
    assert np.mean(alarms) <= 0.06


def test_average_precision_is_that_of_class_1_or_the_mean_over_the_classes():
    rng = np.random.default_rng(0)
    y, prob = rng.integers(0, 3, 60), rng.dirichlet(np.ones(3), 60)
    units = np.arange(60)
    parts = [average_precision((y == k).astype(int), prob[:, k]) for k in range(3)]
    assert estimate("average_precision", y, [prob], units).value == pytest.approx(np.mean(parts))
    binary = (y == 1).astype(int)
    for shape in (prob[:, 1], np.stack([1 - prob[:, 1], prob[:, 1]], 1)):
        assert estimate("average_precision", binary, [shape], units).value == pytest.approx(parts[1])


@pytest.mark.parametrize("name", ESTIMATES)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_an_estimate_has_the_value_of_its_metric_averaged_over_runs(name, k):
    y, first = binary(80, 3) if k == 2 else multiclass(80, k, 3)
    second = first[::-1]
    runs = [np.stack([1 - p, p], 1) if k == 2 else p for p in (first, second)]
    found = estimate(name, y, runs, np.arange(80))
    assert found.value == pytest.approx(np.mean([METRICS[name](y, p) for p in runs]))


def test_probabilities_that_came_out_too_well_keep_the_variance_that_they_claim():
    """All above .5 are right: the errors of .3 are smaller than what probabilities of .3 and .7 must show."""
    p = np.tile([0.3, 0.7], 200)
    value, low, high = error_estimate((p > 0.5).astype(int), [p], np.arange(400)).interval()
    half = 1.96 * np.sqrt(0.3 * 0.7 / 400)
    assert value == pytest.approx(0) and (low, high) == pytest.approx((-half, half), rel=0.04)
