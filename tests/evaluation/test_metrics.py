"""Metrics agree with other libraries; undefined is NaN; wrong input is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from medgen_utils.evaluation import (
    METRICS,
    UndefinedMetric,
    accuracy,
    auroc,
    average_precision,
    balanced_accuracy,
    brier,
    calibration_error,
    decision_curve,
    expected_calibration_error,
    f1,
    reliability_curve,
    sensitivity_at_specificity,
)
from medgen_utils.evaluation.metrics import predicted_class
from tests.evaluation.examples import binary, multiclass


@pytest.mark.parametrize("decimals", [8, 2, 1, 0])
@pytest.mark.parametrize("n", [2, 3, 50, 1000])
def test_auroc_is_that_of_scikit_learn_with_and_without_ties(n, decimals):
    y, p = binary(n, seed=n + decimals, decimals=decimals)
    assert auroc(y, p) == pytest.approx(sklearn_metrics.roc_auc_score(y, p), abs=1e-12)
    assert auroc(y, np.stack([1 - p, p], 1)) == pytest.approx(auroc(y, p), abs=1e-12)


@pytest.mark.parametrize("k", [3, 5, 11])
def test_multiclass_auroc_is_that_of_scikit_learn(k):
    y, p = multiclass(300, k, seed=k)
    expected = sklearn_metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert auroc(y, p) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=30))
@settings(max_examples=150, deadline=None)
def test_weighted_auroc_is_the_auroc_of_repeated_rows(rows):
    y, score, weight = np.array(rows).T
    repeated = np.repeat(np.arange(len(y)), weight)
    value = auroc(y, score, weight[None])[0]
    if len(set(y[repeated])) < 2:
        assert np.isnan(value)
    else:
        assert value == pytest.approx(sklearn_metrics.roc_auc_score(y[repeated], score[repeated]), abs=1e-12)


@pytest.mark.parametrize("k", [2, 4])
def test_other_metrics_are_those_of_scikit_learn(k):
    y, p = binary(500, 0) if k == 2 else multiclass(500, k, 0)
    predicted = (p > 0.5).astype(int) if k == 2 else p.argmax(1)
    average = "binary" if k == 2 else "macro"
    assert accuracy(y, p) == pytest.approx(sklearn_metrics.accuracy_score(y, predicted))
    assert balanced_accuracy(y, p) == pytest.approx(sklearn_metrics.balanced_accuracy_score(y, predicted))
    assert f1(y, p) == pytest.approx(sklearn_metrics.f1_score(y, predicted, average=average))
    expected = ((p - np.eye(k)[y]) ** 2).sum(1).mean() if k > 2 else sklearn_metrics.brier_score_loss(y, p)
    assert brier(y, p) == pytest.approx(expected)


@pytest.mark.parametrize("n_bins", [5, 15])
def test_calibration_error_is_that_of_torchmetrics(n_bins):
    y, p = binary(2000, 3)
    expected = binary_calibration_error(torch.tensor(p), torch.tensor(y), n_bins=n_bins, norm="l1")
    assert expected_calibration_error(p, y == 1, n_bins) == pytest.approx(float(expected), abs=1e-6)
    assert calibration_error(y, p, n_bins=n_bins) == pytest.approx(float(expected), abs=1e-6)
    y, p = multiclass(2000, 4, 3)
    expected = multiclass_calibration_error(torch.tensor(p), torch.tensor(y), 4, n_bins=n_bins, norm="l1")
    assert calibration_error(y, p, n_bins=n_bins) == pytest.approx(float(expected), abs=1e-6)


def test_calibration_error_is_the_weighted_gap_of_the_reliability_curve():
    y, p = binary(700, 5, decimals=1)
    curve = reliability_curve(p, y == 1)
    gap = (curve["n"] * (curve["confidence"] - curve["accuracy"]).abs()).sum() / curve["n"].sum()
    assert calibration_error(y, p) == pytest.approx(gap)
    assert curve["n"].sum() == 700


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.95])
def test_sensitivity_at_specificity_is_read_off_the_roc_curve(specificity):
    y, p = binary(400, 7, decimals=2)
    false_alarms, found, _ = sklearn_metrics.roc_curve(y, p, drop_intermediate=False)
    expected = found[false_alarms <= 1 - specificity + 1e-12].max()
    assert sensitivity_at_specificity(y, p, specificity=specificity) == pytest.approx(expected)


def test_the_predicted_class_is_the_most_probable_one_of_two_images_too():
    prob = np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]])
    assert predicted_class(prob).tolist() == [2, 0]
    assert predicted_class(prob[:, :2] / prob[:, :2].sum(1, keepdims=True)).tolist() == [1, 0]


def test_decision_curve_counts_true_and_false_positives():
    y, p = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.6, 0.2, 0.1])
    curve = decision_curve(y, p, np.array([0.25, 0.5])).set_index("threshold")
    assert curve.loc[0.25, "model"] == pytest.approx(2 / 5 - 1 / 5 * (1 / 3))
    assert curve.loc[0.5, "model"] == pytest.approx(1 / 5 - 1 / 5)
    assert curve.loc[0.5, "treat_all"] == pytest.approx(2 / 5 - 3 / 5)
    assert (curve["treat_none"] == 0).all()
    np.testing.assert_allclose(decision_curve(y, p)["threshold"], [percent / 100 for percent in range(1, 100)])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("k", [2, 3])
def test_a_metric_of_many_resamples_is_that_of_each_one(name, k):
    if (name, k) == ("sensitivity_at_specificity", 3):
        pytest.skip("two classes only")
    y, p = binary(60, 11, decimals=1) if k == 2 else multiclass(60, k, 11)
    weights = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), size=20)
    together = METRICS[name](y, p, weights)
    alone = [METRICS[name](y[index], p[index]) for index in (np.repeat(np.arange(60), w) for w in weights)]
    np.testing.assert_allclose(together, alone, atol=1e-12)


# Undefined is NaN, wrong is refused


@pytest.mark.parametrize("metric", [auroc, balanced_accuracy, sensitivity_at_specificity])
def test_one_class_is_nan_with_a_warning_and_never_zero(metric):
    with pytest.warns(UndefinedMetric, match=metric.__name__):
        assert np.isnan(metric(np.ones(5, int), np.linspace(0, 1, 5)))


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([0, 1], [0.1, np.nan], "NaN"),
        ([0, 2], [0.1, 0.2], "class numbers"),
        ([], [], "n >= 1"),
        ([0, 1], [0.5], "pass"),
    ],
)
def test_wrong_input_is_refused_with_a_reason(y, p, words):
    with pytest.raises(ValueError, match=words):
        auroc(np.array(y), np.array(p))


@pytest.mark.parametrize("decimals", [8, 1])
def test_average_precision_is_that_of_scikit_learn_with_and_without_ties(decimals):
    y, p = binary(150, 2, decimals)
    assert average_precision(y, p) == pytest.approx(sklearn_metrics.average_precision_score(y, p), abs=1e-12)
    y, p = multiclass(150, 4, 2)
    expected = sklearn_metrics.average_precision_score(np.eye(4)[y], p, average="macro")
    assert average_precision(y, p) == pytest.approx(expected, abs=1e-12)


def test_a_probability_of_one_half_is_no_positive():
    y, half = np.array([0, 1]), np.array([0.5, 0.5])
    assert accuracy(y, half) == 0.5 and balanced_accuracy(y, half) == 0.5
    assert accuracy(np.array([0, 0]), half) == 1.0


def test_exactly_the_allowed_share_of_false_alarms_is_allowed():
    """Ten controls and a specificity of .9 leave one false alarm, whatever (1 - .9) * 10 is to a computer."""
    y = np.r_[np.zeros(10, int), 1, 1]
    score = np.r_[np.linspace(0.1, 0.5, 9), 0.8, 0.9, 0.7]
    assert sensitivity_at_specificity(y, score, specificity=0.9) == 1.0
    assert sensitivity_at_specificity(y, score, specificity=0.91) == 0.5


def test_a_confidence_on_the_edge_of_two_bins_is_in_the_upper_one():
    curve = reliability_curve(np.array([0.0, 0.2, 0.4, 1.0]), np.array([0, 0, 1, 1]), n_bins=5)
    assert curve["low"].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.8])
