"""The page of an audit: one self-contained HTML file, nothing loaded from elsewhere. Used by `audit.report`.

This module prepares what the page shows; ``page.html.j2`` is the page. Jinja escapes every name that comes from a file.
Of many domains those in need of a look are drawn and the others listed in parts that open on demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medgen_utils.audit.findings import VERDICTS
from medgen_utils.audit.parts import counted, forest, number, percent, template

METRIC_NAMES = {
    "auroc": "AUROC",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "average_precision": "AUPRC",
    "brier": "Brier score (low is good)",
    "calibration_error": "Calibration error (low is good)",
    "mean_error": "Predicted minus observed positives",
    "sensitivity": "Sensitivity at threshold",
    "specificity": "Specificity at threshold",
}
KINDS = {
    "gap": "AUROC: reference minus domain",
    "difference": "AUROC: model minus model",
    "calibration": "Predicted minus observed share of positives",
}
PRIORS = {
    None: "as they are",
    "given": "corrected from the prior given",
    "balanced": "corrected, if trained on equal shares",
    "reference": "corrected, if trained on the reference's shares",
}
DRAWN = 60  # domains in a chart
LISTED = 100  # rows in a table, and in a part that opens on demand
PARTS = 20  # of those that open on demand; what is left is in report.json


def render(report: dict) -> str:
    """The report of `audit.audit` as one HTML page."""
    shown = _shown(report)
    found = {(row["algorithm"], row["domain"], row["metric"]): row for row in report["metrics"]}
    return template("medgen_utils.audit", "page.html.j2").render(
        report=report,
        head=_head(report),
        shown=shown,
        performance=_performance(report, shown, found),
        gaps=_gaps(report, shown),
        comparisons=_comparisons(report, shown),
        curves=[_curve(report, row) for row in report["calibration"] if row["domain"] in shown][:48],
        transfer=_transfer(report, shown),
        findings=_findings(report),
        metric_names=METRIC_NAMES,
    )


def _shown(report: dict) -> list[str]:
    """The domains that are drawn: all, or the reference and those with the lowest upper end of an AUROC."""
    names = [row["domain"] for row in report["domains"]]
    if len(names) <= DRAWN:
        return names
    worst: dict[str, float] = {}
    notes = {row["domain"]: row["note"] for row in report["domains"]}
    for row in report["metrics"]:
        if row["metric"] == "auroc" and row["high"] is not None and notes[row["domain"]] is None:
            worst[row["domain"]] = min(row["high"], worst.get(row["domain"], 2.0))
    first = sorted(worst, key=worst.get)[: DRAWN - 1]
    keep = {*first, report["reference"]}
    return [name for name in names if name in keep]


def _few(report: dict) -> set[str]:
    """The domains that are listed and not judged."""
    return {row["domain"] for row in report["domains"] if row["note"]}


def _head(report: dict) -> dict:
    domains = report["domains"]
    verdicts = [finding["verdict"] for finding in report["findings"]]
    counts = {"image": sum(row["images"] for row in domains)}
    known = any(row["known"] for row in domains)
    if known:
        counts["patient"] = sum(row["patients"] for row in domains)
    counts |= {"domain": len(domains), "model": len(report["algorithms"])}
    unjudged = [row for row in domains if row["note"]]
    told = any("has one image" in notice for notice in report["notices"])
    alone = known and not told and all(row["patients"] == row["images"] for row in domains)
    return {
        "cards": [counted(n, thing).split() for thing, n in counts.items()],
        "known": known,
        "alone": alone,
        "few": _few(report),
        "unjudged": unjudged[:LISTED],
        "unjudged_more": max(0, len(unjudged) - LISTED),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in VERDICTS},
        "leads": list(zip(report["worst"], report["over_domains"], strict=True)),
    }


def _in_parts(rows: Sequence, start: int = 0) -> list[dict]:
    """The rows from ``start`` on in parts of `LISTED`, each with the first and last number it holds."""
    starts = range(start, len(rows), LISTED)
    return [{"first": i + 1, "last": min(i + LISTED, len(rows)), "rows": rows[i : i + LISTED]} for i in starts]


def _performance(report: dict, shown: Sequence[str], found: dict) -> dict:
    algorithms = report["algorithms"]
    groups = [
        (d, [(i, found[a, d, "auroc"]) for i, a in enumerate(algorithms) if (a, d, "auroc") in found]) for d in shown
    ]
    names = list(dict.fromkeys(row["metric"] for row in report["metrics"]))
    table = [
        (d, a, [found.get((a, d, m)) for m in names]) for d in shown for a in algorithms if (a, d, "auroc") in found
    ]
    rest = [row for row in report["domains"] if row["domain"] not in set(shown)]
    others = [(row, [found.get((a, row["domain"], "auroc")) for a in algorithms]) for row in rest]
    return {
        "forest": forest(groups, [0.5], "AUROC", _few(report)),
        "who": [row for row in report["domains"] if row["domain"] in set(shown)],
        "names": names,
        "table": table,
        "others": _in_parts(others),
        "by_class": [row for row in report["by_class"] if row["domain"] in set(shown)][: 8 * LISTED],
        "subgroups": report["subgroups"][: 4 * LISTED],
    }


def _gaps(report: dict, shown: Sequence[str]) -> dict | None:
    rows = [f for f in report["findings"] if f["kind"] == "gap" and f["domain"] in set(shown)]
    groups: dict[str, list] = {}
    for row in rows:
        groups.setdefault(row["domain"], []).append((report["algorithms"].index(row["who"]), row))
    return forest(list(groups.items()), [0.0], "AUROC lost", _few(report)) if rows else None


def _comparisons(report: dict, shown: Sequence[str]) -> list[tuple[str, dict]]:
    pairs = [f for f in report["findings"] if f["kind"] == "difference" and f["domain"] in set(shown)]
    found = {
        who: [(f["domain"], [(0, f)]) for f in pairs if f["who"] == who]
        for who in dict.fromkeys(f["who"] for f in pairs)
    }
    return [(who, forest(groups, [0.0], "difference in AUROC", _few(report))) for who, groups in found.items()]


def _curve(report: dict, curve: dict) -> dict:
    total = sum(b["n"] for b in curve["bins"])
    points = [(20 + 130 * b["confidence"], 140 - 130 * b["accuracy"], b["n"] / total) for b in curve["bins"]]
    return curve | {
        "colour": report["algorithms"].index(curve["algorithm"]) % 6,
        "path": " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points),
        "dots": [(f"{x:.1f}", f"{y:.1f}", f"{2 + 5 * share**0.5:.1f}") for x, y, share in points],
        "verdict": "no more than chance" if curve["error"] <= curve["floor"] else "more than chance",
    }


def _transfer(report: dict, shown: Sequence[str]) -> dict | None:
    rows = [row for row in report["transfer"] if row["domain"] in set(shown)]
    if not rows:
        return None
    decides = any(value is not None for value in report["thresholds"].values())
    keys = [*(["prevalence", "flagged", "sensitivity", "specificity", "predictive_value"] if decides else ["accuracy"])]
    scores = [*(["net_benefit"] if decides else []), "brier", "calibration_error"]
    body = []
    for row in rows:
        at_home = row["corrected"] == "reference" and row["domain"] == report["reference"]
        if not at_home:  # nothing to correct from its own shares
            cells = [percent(row.get(key)) for key in keys] + [number(row.get(key)) for key in scores]
            body.append((row["domain"], row["algorithm"], PRIORS[row["corrected"]], row["reason"], cells))
    heads = [key.replace("_", " ").capitalize() for key in (*keys, *scores)]
    unknown = report["prior"] is None
    thresholds = {name: value for name, value in report["thresholds"].items() if value is not None}
    return {"heads": heads, "rows": body, "unknown": unknown, "thresholds": thresholds}


def _findings(report: dict) -> dict:
    def key(f: dict) -> tuple:
        return VERDICTS.index(f["verdict"]), f["p_holm"] if f["p_holm"] is not None else 1

    rows: Iterable = sorted(report["findings"], key=key)
    rows = [f | {"what": KINDS[f["kind"]]} for f in rows]
    counted = sum(f["p_value"] is not None for f in rows)
    return {
        "first": rows[:LISTED],
        "others": _in_parts(rows[: (PARTS + 1) * LISTED], LISTED),
        "left": max(0, len(rows) - (PARTS + 1) * LISTED),
        "all": len(rows),
        "counted": counted,
    }
