"""What a prior and a threshold do elsewhere: the prior is named, and nothing is concluded from a guess."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit import audit
from medgen_utils.audit.page import render
from medgen_utils.audit.transfer import check_prior, sources


def frame(prevalences: dict[str, float], trained: float, n: int = 20_000) -> pd.DataFrame:
    """The same p(x given y) everywhere, exact probabilities for the share ``trained`` of class 1."""
    rng = np.random.default_rng(0)
    parts = []
    for domain, prevalence in prevalences.items():
        y = (rng.random(n) < prevalence).astype(int)
        odds = np.exp(2 * rng.normal(2 * y - 1)) * trained / (1 - trained)
        p = odds / (1 + odds)
        parts.append(pd.DataFrame({"domain": domain, "y": y, "prob_0": 1 - p, "prob_1": p}))
    done = pd.concat(parts, ignore_index=True).assign(run="r", algorithm="a")
    return done.assign(index=np.arange(len(done)), group=np.arange(len(done)).astype(str))


def rows(data: pd.DataFrame, **options) -> dict:
    found = audit(data, "home", n_resamples=100, **options).report["transfer"]
    return {row["corrected"]: row for row in found if row["domain"] == "away"}


def test_the_right_prior_repairs_a_pure_prevalence_shift():
    found = rows(frame({"home": 0.2, "away": 0.05}, trained=0.5), prior="balanced")
    assert list(found) == [None, "balanced"]
    assert found[None]["calibration_error"] > 0.1
    assert found["balanced"]["calibration_error"] < 0.02
    assert found["balanced"]["brier"] < found[None]["brier"]
    assert found["balanced"]["net_benefit"] > found[None]["net_benefit"]


def test_an_unknown_prior_shows_both_guesses_and_concludes_nothing():
    data = frame({"home": 0.2, "away": 0.5}, trained=0.5, n=3000)
    found = rows(data)
    assert list(found) == [None, "balanced", "reference"]
    assert found["reference"]["brier"] > found[None]["brier"]  # the wrong guess makes good probabilities worse
    page = render(audit(data, "home", n_resamples=100).report)
    assert "more than the prevalence" not in page
    assert "both are shown" in page


def test_numbers_are_a_prior_and_are_used():
    data = frame({"home": 0.2, "away": 0.05}, trained=0.3, n=3000)
    assert rows(data, prior=[0.7, 0.3])["given"]["calibration_error"] < 0.03


def test_a_reference_that_lacks_a_class_cannot_be_corrected_from_and_says_so():
    data = frame({"home": 0.0, "away": 0.3}, trained=0.5, n=300)
    found = rows(data, threshold=0.5)
    assert found["reference"]["reason"] == "home lacks a class: its shares cannot be corrected from"
    assert found["balanced"]["reason"] is None
    assert "home lacks a class" in render(audit(data, "home", threshold=0.5, n_resamples=100).report)


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ("equal", "'balanced' or 'reference'"),
        ([0.5], "2 positive"),
        ([0.9, 0.3], "sum to 1"),
        ([1, 0], "positive"),
    ],
)
def test_a_prior_that_is_none_is_refused(prior, words):
    with pytest.raises(ValueError, match=words):
        check_prior(prior, 2, "home")
    with pytest.raises(ValueError, match="name it"):
        check_prior("reference", 2, None)


def test_without_a_reference_only_equal_shares_can_be_guessed():
    assert list(sources(None, None, 3)) == ["balanced"]
    assert sources("reference", np.array([3, 1]), 2)["reference"].tolist() == [0.75, 0.25]


def test_a_patient_at_the_threshold_is_flagged():
    data = frame({"home": 0.5, "away": 0.5}, trained=0.5, n=400)
    data["prob_1"] = data["prob_1"].round(1)
    data["prob_0"] = 1 - data["prob_1"]
    away = data[data["domain"] == "away"]
    flagged = away["prob_1"] >= 0.5
    assert (away["prob_1"] == 0.5).any()
    found = rows(data, threshold=0.5)[None]
    assert found["flagged"] == pytest.approx(flagged.mean())
    assert found["sensitivity"] == pytest.approx(flagged[away["y"] == 1].mean())
