"""Every comparison of an audit, its p value, and what may be said about it. Used by `audit.report`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from medgen_utils.evaluation.by_domain import differences, gaps
from medgen_utils.evaluation.cells import Cells
from medgen_utils.evaluation.estimates import Estimate
from medgen_utils.evaluation.intervals import holm, sign_flip_test

VERDICTS = ("beyond noise", "uncertain", "within noise", "too few patients", "undefined")


def findings(cells: dict[str, Cells], domains: list[dict], reference: str | None, minimum: int, level: float) -> list:
    """Gaps to the reference, models against each other, miscalibration: a row each with its verdict.

    Holm's correction counts the comparisons that are judged: those in domains with enough patients of each class.
    """
    notes = {row["domain"]: row["note"] for row in domains}
    present = {row["domain"]: tuple(np.flatnonzero(row["counts"])) for row in domains}
    few = {row["domain"] for row in domains if row["patients"] < minimum}
    rows = []
    if reference:
        for name, found in cells.items():
            for domain, gap in gaps(_domains(found), reference).items():
                reason = notes[domain] or (notes[reference] and f"{reference}: {notes[reference]}")
                if present[domain] != present[reference]:
                    gap, reason = None, f"other classes occur in {domain} than in {reference}"
                rows.append(_row("gap", name, domain, gap, reason, level))
    for a, b in itertools.combinations(cells, 2):
        for domain, difference in differences(_domains(cells[a]), _domains(cells[b])).items():
            rows.append(_row("difference", f"{a} minus {b}", domain, difference, notes[domain], level))
    for name, found in cells.items():
        if "mean_error" in found.metrics:
            i = found.metrics.index("mean_error")
            for domain, cell in _domains(found).items():
                reason = f"too few patients to judge: {cell.n} images" if domain in few else None
                rows.append(_row("calibration", name, domain, cell.estimates[i], reason, level))
    return judge(rows, level)


def judge(rows: list[dict], level: float) -> list[dict]:
    """Verdicts for rows that have none: one in twenty looks real by chance alone, so all of them count (Holm)."""
    open_rows = [row for row in rows if row["verdict"] is None]
    corrected = holm(np.array([row["p_value"] for row in open_rows])) if open_rows else []
    for row, p in zip(open_rows, corrected, strict=True):
        row["p_holm"] = float(p)
        alone, together = row["p_value"] < 1 - level, p < 1 - level
        row["verdict"] = "beyond noise" if together else "uncertain" if alone else "within noise"
    return rows


def domain_tests(cells: dict[str, Cells], judged: Sequence[str], level: float) -> list[dict]:
    """For each pair of models the sign-flip test over the domains that can be judged; ends cut at -1 and 1."""
    rows = []
    for a, b in itertools.combinations(cells, 2):
        found = differences(_domains(cells[a]), _domains(cells[b]))
        d = np.array([found[domain].value for domain in judged if domain in found])
        if len(d) > 1 and not np.isnan(d).any():
            test = sign_flip_test(d, level)._asdict()
            test |= {"low": max(test["low"], -1.0), "high": min(test["high"], 1.0)}
            rows.append({"who": f"{a} minus {b}", "domains": len(d)} | test)
    return rows


def _domains(cells: Cells) -> dict:
    return next(iter(cells.groups.values()))


def _row(kind: str, who: str, domain: str, estimate: Estimate | None, reason: str | None, level: float) -> dict:
    row = {"kind": kind, "who": who, "domain": domain}
    if estimate is None or np.isnan(estimate.value):
        ends = {"value": np.nan, "low": np.nan, "high": np.nan, "p_value": np.nan, "p_holm": np.nan}
        return row | ends | {"verdict": "undefined", "reason": reason or "a class is missing"}
    value, low, high = estimate.interval(level)
    row |= {"value": value, "low": low, "high": high, "p_value": np.nan, "p_holm": np.nan}
    if reason:
        return row | {"verdict": "too few patients", "reason": reason}
    return row | {"p_value": estimate.p_value(), "verdict": None, "reason": None}
