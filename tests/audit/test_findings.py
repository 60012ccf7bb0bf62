"""Verdicts count every comparison that is judged, and no other."""

import numpy as np

from medgen_utils.audit.findings import judge


def row(p: float, verdict: str | None = None) -> dict:
    return {"p_value": p, "p_holm": np.nan, "verdict": verdict, "reason": None}


def test_one_in_twenty_is_uncertain_until_all_are_counted():
    rows = judge([row(0.04), row(0.5), row(1e-6), row(0.3)], 0.95)
    assert [r["verdict"] for r in rows] == ["uncertain", "within noise", "beyond noise", "within noise"]
    assert rows[0]["p_holm"] > 0.05


def test_comparisons_without_a_verdict_do_not_make_the_others_harder():
    alone = judge([row(0.04)], 0.95)[0]
    beside = judge([row(0.04), *(row(np.nan, "too few patients") for _ in range(50))], 0.95)
    assert beside[0] == alone
    assert {r["verdict"] for r in beside[1:]} == {"too few patients"}


def test_nothing_to_judge_is_no_error():
    assert judge([row(np.nan, "undefined")], 0.95)[0]["verdict"] == "undefined"
