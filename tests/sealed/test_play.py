"""The game keeps its rules: evidence costs, points follow the truth, and nonsense is refused."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from medgen_utils.sealed import CAUSES, REMEDIES, cases, open_case, play

opened = functools.cache(open_case)


def seed_with(*causes: str) -> int:
    return next(seed for seed in range(1000) if cases.hide(seed).causes == causes)


def test_interval_score_is_its_formula():
    assert play.interval_score(0.6, 0.8, 0.7) == pytest.approx(0.2)
    assert play.interval_score(0.6, 0.8, 0.55) == pytest.approx(0.2 + 10 * 0.05)
    assert play.interval_score(0.6, 0.8, 0.9) == pytest.approx(0.2 + 10 * 0.1)


def test_a_calibrated_interval_has_the_best_expected_score():
    truth = np.random.default_rng(0).normal(0.7, 0.05, 4000)
    ends = {share: 0.05 * stats.norm.ppf(0.5 + share / 2) for share in (0.3, 0.5, 0.8, 0.95, 0.99)}
    mean = {s: np.mean([play.interval_score(0.7 - e, 0.7 + e, t) for t in truth]) for s, e in ends.items()}
    assert min(mean, key=mean.get) == 0.8


def test_distance_test_is_scipys():
    generator = np.random.default_rng(0)
    a, b = generator.normal(0, 1, 150), generator.normal(0.5, 1, 100)
    distance, p = play.distance_test(a, b)
    expected = stats.ks_2samp(a, b, method="asymp")
    assert distance == pytest.approx(expected.statistic)
    assert p == pytest.approx(stats.kstwobign.sf(distance * np.sqrt(150 * 100 / 250)))
    assert play.distance_test(a, a) == (0, 1)


def test_prior_is_found_without_labels():
    generator = np.random.default_rng(0)
    y = generator.random(20_000) < 0.1
    score = generator.normal(np.where(y, 1, -1), 1)
    p = 1 / (1 + np.exp(-2 * score))  # right where half are ill
    corrected = play.at_prior(p)
    assert corrected.mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(play.at_prior(p, rounds=0), p)


def test_evidence_costs_once_and_only_while_points_are_left():
    case = open_case(3)
    assert case.spent == 0
    case.labels()
    case.labels()
    case.probe()
    case.try_remedy("cover")
    assert case.spent == 8 == play.BUDGET
    with pytest.raises(ValueError, match=r"'test' costs 1 and 0 points are left"):
        case.test()
    case.probe()  # bought before


def test_the_audit_finds_biased_graders_and_nothing_else_does_so():
    biased, fair = opened(seed_with("graders")).audit(), opened(seed_with("scanner")).audit()
    assert biased["called malignant, benign in truth"] >= 3 > 0 == fair["called malignant, benign in truth"]


def test_the_probe_sees_a_shortcut_no_more_than_any_marker_but_small_lesions_at_once():
    small = opened(seed_with("population")).probe()
    assert small["dark area"][2] < -0.5
    shares = opened(seed_with("prevalence")).probe()
    assert all(abs(difference) < 0.5 for *_, difference in shares.values())


def test_the_remedy_made_for_a_cause_earns_most_of_its_points():
    for cause in ("shortcut", "graders", "prevalence"):
        case = opened(seed_with(cause))
        result = case.commit([cause], 0.5, 0.6, cases.ANSWERS[cause])
        assert result["points"]["cause"] == 30 and result["points"]["remedy"] >= 15, cause
        assert result["brier"][cases.ANSWERS[cause]] < result["brier"]["none"]


def test_a_perfect_conclusion_earns_nearly_everything_and_the_line_says_so():
    case = open_case(5)
    truth = case.truth()
    remedy = min(truth["brier"], key=truth["brier"].get)
    result = case.commit(case.hidden.causes, truth["auroc"] - 0.005, truth["auroc"] + 0.005, remedy)
    assert result["points"] == {"cause": 30, "forecast": 39, "remedy": 30} and result["total"] == 99
    assert result["line"] == (
        "Sealed hospital 5: 99/100 points (cause 30/30, forecast 39/40, remedy 30/30), 0 of 8 spent: nothing."
    )
    wrong = [cause for cause in CAUSES if cause not in case.hidden.causes][:1]
    assert case.commit(wrong, 0.0, 0.01, "none")["total"] == case.commit(wrong, 0.0, 0.01, "none")["points"]["remedy"]


@pytest.mark.parametrize(
    ("conclusion", "message"),
    [
        (([], 0.5, 0.6, "none"), "one or two"),
        ((CAUSES[:3], 0.5, 0.6, "none"), "one or two"),
        ((["weather"], 0.5, 0.6, "none"), "weather"),
        ((["scanner"], 0.6, 0.5, "none"), "lower end first"),
        ((["scanner"], 0.5, 1.2, "none"), "between 0 and 1"),
        ((["scanner"], 0.5, 0.6, "prayer"), "prayer"),
    ],
)
def test_nonsense_is_refused(conclusion, message):
    with pytest.raises(ValueError, match=message):
        opened(3).commit(*conclusion)


def test_an_unknown_remedy_cannot_be_tried():
    with pytest.raises(ValueError, match="choose one of none"):
        opened(3).try_remedy("prayer")
    assert len(REMEDIES) == len(set(REMEDIES)) == 6


def test_the_notebook_for_a_class_shows_what_the_game_answers():
    path = Path(__file__).parents[2] / "chapters" / "teaching" / "sealed_hospital.ipynb"
    cells = json.loads(path.read_text("utf-8"))["cells"]
    shown = next(cell["outputs"][0]["text"] for cell in cells if "case.commit" in "".join(cell["source"]))
    case = open_case(42)
    case.test(), case.probe(), case.labels()
    assert "".join(shown).strip() == case.commit(["scanner"], 0.7, 0.9, "augmentation")["line"]
