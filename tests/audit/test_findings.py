"""Verdicts count every comparison that is judged, and no other."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.audit.findings import domain_tests, judge
from medgen_utils.audit.measures import by_domain, measure
from medgen_utils.evaluation import sign_flip_test
from tests.audit.examples import runs_frame


def row(p: float, verdict: str | None = None) -> dict:
    return {"p_value": p, "p_holm": np.nan, "verdict": verdict, "reason": None}


def test_one_in_twenty_is_uncertain_until_all_are_counted():
    rows = judge([row(0.04), row(0.5), row(1e-6), row(0.3)], 0.95)
    assert [r["verdict"] for r in rows] == ["uncertain", "within noise", "beyond noise", "within noise"]
    assert rows[0]["p_holm"] > 0.05
    assert judge([row(1 - 0.95)], 0.95)[0]["verdict"] == "within noise", "at the level itself nothing is beyond it"


def test_comparisons_without_a_verdict_do_not_make_the_others_harder():
    alone = judge([row(0.04)], 0.95)[0]
    beside = judge([row(0.04), *(row(np.nan, "too few patients") for _ in range(50))], 0.95)
    assert beside[0] == alone
    assert {r["verdict"] for r in beside[1:]} == {"too few patients"}


def test_nothing_to_judge_is_no_error():
    assert judge([row(np.nan, "undefined")], 0.95)[0]["verdict"] == "undefined"


def two_models(domains: int) -> tuple[dict, dict]:
    """The cells of a model and of a worse one in several domains, and the differences of their AUROCs."""
    parts = [runs_frame(1).query("domain == 'home'").assign(domain=f"site {i}") for i in range(domains)]
    frame = pd.concat(parts, ignore_index=True)
    names = list(frame["domain"].unique())
    cells = {}
    for name, noise in (("a", 0.1), ("b", 0.5)):
        p = np.clip(frame["prob_1"] + np.random.default_rng(0).normal(0, noise, len(frame)), 0, 1)
        tests = by_domain(frame.assign(algorithm=name, prob_1=p, prob_0=1 - p), names)
        cells[name] = measure(name, tests, None)
    values = [{d: cell.estimates[0].value for d, cell in c.groups[n,].items()} for n, c in cells.items()]
    return cells, {d: values[0][d] - values[1][d] for d in names}


def test_models_are_tested_over_the_domains_that_can_be_judged():
    cells, d = two_models(4)
    judged = ["site 0", "site 2", "site 3"]
    (found,) = domain_tests(cells, judged, 0.95)
    expected = sign_flip_test(np.array([d[name] for name in judged]), 0.95)._asdict()
    assert (found["who"], found["domains"]) == ("a minus b", 3)
    assert {key: found[key] for key in expected} == pytest.approx(expected, nan_ok=True)
    assert domain_tests(cells, ["site 1"], 0.95) == [], "one domain says nothing of others"
    (wide,) = domain_tests(cells, ["site 0", "site 2"], 0.9999)
    assert (wide["low"], wide["high"]) == (-1, 1), "a difference of AUROCs cannot be larger"
