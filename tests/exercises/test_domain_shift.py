"""The checks of chapter domain_shift take any right answer, and see a test that alarms too often or never."""

import numpy as np
import pytest
from scipy import stats

from medgen_utils.exercises import check


def test_right_alarms_may_be_counted_among_patients():
    def counted(sensitivity, specificity, prevalence):
        sick, healthy = 1000 * prevalence, 1000 * (1 - prevalence)
        return sick * sensitivity / (sick * sensitivity + healthy * (1 - specificity))

    assert check("shift.1", counted).passed


def test_the_right_share_of_one_example_is_not_enough():
    assert "by hand" in check("shift.1", lambda *a: 1 / 3, hint=0).text


def test_a_test_of_the_library_is_a_permutation_test_too():
    def library(a, b, seed):
        values = [images.reshape(len(images), -1).mean(1) for images in (a, b)]

        def statistic(one, other, axis):
            return abs(one.mean(axis) - other.mean(axis))

        options = {"vectorized": True, "n_resamples": 200, "alternative": "greater"}
        return stats.permutation_test(values, statistic, rng=np.random.default_rng(seed), **options).pvalue

    assert check("shift.2", library).passed


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.01, "too often"), (0.5, "misses a clear shift"), (0.0, "certainty"), (7.0, "between 0 and 1")],
)
def test_a_constant_is_no_p_value(value, said):
    assert said in check("shift.2", lambda *a: value, hint=0).text


def test_a_sentence_is_no_report():
    assert "Return the whole report" in check("shift.3", lambda *a: "covariate shift", hint=0).text
