"""Power is what simulated studies find, and what published tables and limits say."""

import numpy as np
import pytest
from scipy import stats

from medgen_utils.evaluation import power as evaluation_power
from medgen_utils.evaluation.metrics import auroc
from medgen_utils.evaluation.power import (
    MOST_HOSPITALS,
    Spread,
    auroc_variance,
    hospitals_needed,
    power,
    variance_at_a_hospital,
)

SPREAD = Spread(0.03, 0.02, 0.6)


def test_the_variance_is_the_published_one():
    """Hanley & McNeil 1982, table II: area .893 with 51 cases and 58 controls has a standard error of about .032."""
    assert np.sqrt(auroc_variance(0.893, 51, 58)) == pytest.approx(0.032, abs=0.001)


@pytest.mark.parametrize(("area", "cases", "controls"), [(0.7, 30, 90), (0.85, 60, 60)])
def test_normal_scores_vary_about_as_much(area, cases, controls):
    random = np.random.default_rng(0)
    y = np.r_[np.ones(cases, int), np.zeros(controls, int)]
    shift = np.sqrt(2) * stats.norm.ppf(area)
    found = [auroc(y, random.normal(size=len(y)) + shift * y) for _ in range(3000)]
    assert np.std(found) == pytest.approx(np.sqrt(auroc_variance(area, cases, controls)), rel=0.1)


@pytest.mark.parametrize("question", ["gap", "method"])
@pytest.mark.parametrize(("hospitals", "patients", "seeds"), [(3, 200, 1), (6, 100, 3), (12, 400, 2)])
def test_simulated_studies_find_the_difference_as_often(question, hospitals, patients, seeds):
    random, effect = np.random.default_rng(hospitals), 0.04
    parts = variance_at_a_hospital(question, effect, patients, seeds, SPREAD)
    sites = random.normal(effect, np.sqrt(parts["site"]), (20000, hospitals))
    measured = sites + random.normal(0, np.sqrt(parts["seed"] + parts["patients"]), sites.shape)
    found = np.mean(stats.ttest_1samp(measured, 0, axis=1).pvalue < 0.05)
    assert found == pytest.approx(power(question, effect, hospitals, patients, seeds, SPREAD), abs=0.012)


def test_patients_alone_never_reach_what_hospitals_differ_by():
    """Five hospitals with a million patients each are worth no more than the spread between hospitals allows."""
    best = power("method", 0.02, 5, 10**6, 1000, SPREAD)
    limit = stats.nct.sf(stats.t.ppf(0.975, 4), 4, 0.02 / np.sqrt(0.03**2 / 5))
    assert best == pytest.approx(limit, abs=0.003) and best < 0.3
    assert power("method", 0.02, 40, 200, 1, SPREAD) > best


def test_more_of_anything_is_never_worse():
    base = {"effect": 0.03, "hospitals": 6, "patients": 150, "seeds": 2}
    before = power("gap", spread=SPREAD, **base)
    for name, more in {"effect": 0.04, "hospitals": 7, "patients": 200, "seeds": 3}.items():
        assert power("gap", spread=SPREAD, **base | {name: more}) > before


def test_a_gap_has_two_sets_of_patients_and_a_method_one():
    parts = [variance_at_a_hospital(q, 0.0001, 200, 1, SPREAD)["patients"] for q in ("gap", "method")]
    assert parts[1] == pytest.approx((1 - SPREAD.correlation) * parts[0], rel=1e-3)


def test_no_effect_is_found_at_the_level():
    assert power("method", 1e-9, 8, 100, 1, SPREAD) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("hospitals", range(20, 200, 9))
def test_what_is_as_good_as_certain_is_a_number(hospitals):
    assert power("gap", 0.1, hospitals, 2000, 10, Spread(0.01, 0.01)) == pytest.approx(1)


def test_the_fewest_hospitals_that_are_enough():
    needed = hospitals_needed("gap", 0.05, 200, 2, SPREAD)
    assert power("gap", 0.05, needed, 200, 2, SPREAD) >= 0.8 > power("gap", 0.05, needed - 1, 200, 2, SPREAD)
    assert hospitals_needed("method", 0.001, 100, 1, SPREAD) is None and MOST_HOSPITALS >= 100


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hospitals": 1}, "hospitals=1"),
        ({"question": "drop"}, "gap"),
        ({"seeds": 0}, "seeds=0"),
        ({"auroc": 1.0}, "auroc=1"),
        ({"patients": 2}, "cases"),
        ({"effect": 0.3}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_is_named(change, told):
    options = {"question": "gap", "effect": 0.05, "hospitals": 5, "patients": 200, "seeds": 2, "spread": SPREAD}
    with pytest.raises(ValueError, match=told):
        power(**options | {"auroc": 0.8} | change)


def test_the_last_number_of_hospitals_is_tried_too(monkeypatch):
    needed = hospitals_needed("gap", 0.05, 200, 2, SPREAD)
    for most, found in ((needed, needed), (needed - 1, None)):
        monkeypatch.setattr(evaluation_power, "MOST_HOSPITALS", most)
        assert hospitals_needed("gap", 0.05, 200, 2, SPREAD) == found
