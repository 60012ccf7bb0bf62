"""Tests that notice a shift: they alarm as often as they say without one, and notice a large one."""

import numpy as np
import pytest
import torch
from scipy import stats

from medgen_utils import shifts
from medgen_utils.shifts import detection


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


TESTS = {
    "mmd": lambda a, b, seed: shifts.mmd_two_sample_test(a, b, seed, n_permutations=200),
    "domain classifier": shifts.domain_classifier_test,
    "outputs, two classes": lambda a, b, _: shifts.black_box_shift_detection(softmax(a[:, :2]), softmax(b[:, :2])),
    "outputs, three classes": lambda a, b, _: shifts.black_box_shift_detection(softmax(a[:, :3]), softmax(b[:, :3])),
    "predicted labels": lambda a, b, _: shifts.predicted_label_test(a[:, :3].argmax(1), b[:, :3].argmax(1)),
}


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS.keys())
def test_without_a_shift_three_to_seven_percent_of_500_draws_alarm_at_five_percent(test):
    rng = np.random.default_rng(0)
    p_values = [test(rng.normal(size=(97, 5)), rng.normal(size=(103, 5)), seed).p_value for seed in range(500)]
    assert 0.03 <= np.mean(np.array(p_values) < 0.05) <= 0.07


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS.keys())
def test_a_large_shift_is_noticed(test):
    rng = np.random.default_rng(0)
    move = np.array([1.0, 0, 0, 0, 0])
    p_values = [test(rng.normal(size=(97, 5)), rng.normal(size=(103, 5)) + move, seed).p_value for seed in range(20)]
    assert np.median(p_values) < 0.01


def test_mmd_statistic_is_the_formula():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
    both = np.concatenate([a, b])
    squared = np.array([[((p - q) ** 2).sum() for q in both] for p in both])
    kernel = np.exp(-squared / np.median([squared[i, j] for i in range(12) for j in range(i)]))
    expected = kernel[:7, :7].mean() + kernel[7:, 7:].mean() - 2 * kernel[:7, 7:].mean()
    assert shifts.mmd_two_sample_test(a, b, seed=0).statistic == pytest.approx(expected, rel=1e-12)


def test_mmd_takes_images_as_tensors_and_repeats_with_its_seed():
    a, b = torch.rand(10, 1, 4, 4), torch.rand(12, 1, 4, 4)
    assert shifts.mmd_two_sample_test(a, b, seed=3) == shifts.mmd_two_sample_test(a, b, seed=3)


def test_mmd_of_a_sample_with_itself_does_not_alarm():
    a = np.random.default_rng(0).normal(size=(20, 2))
    result = shifts.mmd_two_sample_test(a, a, seed=0)
    assert result.statistic == pytest.approx(0, abs=1e-12)
    assert result.p_value == 1


def test_a_domain_that_marks_its_images_is_recognised():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 10)), rng.normal(size=(60, 10))
    b[:, 0] = 5
    assert shifts.domain_classifier_test(a, b, seed=0).statistic == 1


@pytest.mark.parametrize("test", [shifts.mmd_two_sample_test, shifts.domain_classifier_test])
def test_samples_of_different_shapes_are_refused(test):
    with pytest.raises(ValueError, match="of one shape"):
        test(np.zeros((5, 2)), np.zeros((5, 3)), seed=0)


def test_one_predicted_class_is_no_evidence():
    assert shifts.predicted_label_test(np.zeros(5, int), np.zeros(9, int)) == (0, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["mmd", "domain classifier", "outputs as they are"])
def test_values_that_are_no_numbers_are_refused_with_their_place(name, value):
    as_they_are = {"outputs as they are": lambda a, b, _: shifts.black_box_shift_detection(a, b)}
    a, b = np.zeros((6, 3)), np.ones((7, 3))
    b[4, 2] = value
    with pytest.raises(ValueError, match=r"1 values of the second sample are .*first at \(4, 2\)"):
        (TESTS | as_they_are)[name](a, b, 0)


def test_the_counts_of_predicted_classes_are_compared_by_chi_square():
    source, target = np.repeat([0, 1, 4], [30, 50, 20]), np.repeat([0, 1, 4], [10, 60, 45])
    expected = stats.chi2_contingency([[30, 50, 20], [10, 60, 45]], correction=False)
    assert shifts.predicted_label_test(source, target) == pytest.approx((expected.statistic, expected.pvalue))


def test_no_predictions_are_refused():
    with pytest.raises(ValueError, match="0 and 4 predictions"):
        shifts.predicted_label_test(np.array([], int), np.zeros(4, int))


def test_the_deals_of_the_mmd_are_drawn_with_the_seed():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(15, 3))
    deals = [detection.mmd_and_deals(a, b, seed, 40)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(deals[0], deals[1])
    assert not np.allclose(np.sort(deals[0]), np.sort(deals[2]))


def test_a_p_value_counts_the_observed_deal_too():
    a, b = np.zeros((4, 1)), np.ones((4, 1))
    statistic, deals = detection.mmd_and_deals(a, b, 0, 99)
    as_far = int((deals >= statistic - 1e-12).sum())
    assert shifts.mmd_two_sample_test(a, b, 0, 99).p_value == pytest.approx((1 + as_far) / 100)


def test_a_classifier_that_does_worse_than_chance_is_no_alarm():
    """Only a domain that is recognised speaks for a shift: the test has one side."""
    rng = np.random.default_rng(3)
    below = [
        found
        for seed in range(12)
        if (found := shifts.domain_classifier_test(rng.normal(size=(40, 4)), rng.normal(size=(40, 4)), seed)).statistic
        < 0.5
    ]
    assert below and all(test.p_value > 0.5 for test in below)


def test_a_classifier_that_holds_half_back_needs_four_rows_of_each():
    a = np.random.default_rng(0).normal(size=(4, 2))
    assert 0 <= shifts.domain_classifier_test(a, a + 1, seed=0).statistic <= 1
    with pytest.raises(ValueError, match="at least 4 rows"):
        shifts.domain_classifier_test(a[:3], a, seed=0)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_a_shift_is_the_same_in_other_units(scale):
    """Pixels in 0 to 1 or 0 to 255, features of any size: every test brings its own scale."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 3)), rng.normal(0.4, 1, size=(24, 3))
    for test in (shifts.mmd_two_sample_test, shifts.domain_classifier_test):
        assert test(scale * a, scale * b, seed=0) == pytest.approx(test(a, b, seed=0), rel=1e-6)
