"""The checks of chapter concept_shift take any right answer, and tell one that is right by chance from one."""

import numpy as np
import pytest

from medgen_utils.exercises import check


def test_the_reliability_may_be_searched_for():
    def searched(agreement):
        grid = np.linspace(0.5, 1, 500_001)
        return grid[np.abs(grid**2 + (1 - grid) ** 2 - agreement).argmin()]

    assert check("concept.1", searched).passed


def test_an_answer_is_put_back_into_the_equation():
    said = check("concept.1", lambda agreement: 0.8, hint=0).text
    assert "0.8 came back" in said
    assert "a share of 0.68" in said


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.75, 0.9), "one grader alone"),
        ((0.9, 0.2), "right column"),
        ((0.9, 1.0), "see the truth"),
        ((0.9, 0.9), "Correct"),
    ],
)
def test_shares_that_cannot_be_are_told(shares, said):
    assert said in check("concept.2", lambda *a: shares, hint=0).text


def test_what_a_method_is_told_must_matter():
    assert "does not depend on the rate" in check("concept.3", lambda rate: 0.8, hint=0).text
    assert "which class" in check("concept.3", lambda rate: 0.3, hint=0).text
    assert check("concept.3", lambda rate: 0.9 - rate).passed
