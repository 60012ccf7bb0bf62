"""A comparison of methods as a page, a JSON and a CSV, in the form of the audit's. Used by ``compare --out``.

A verdict is about other patients of the domains at hand and other seeds, never about hospitals that nobody tested: for
those the page shows a point a domain, and says how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils import __version__
from medgen_utils.audit.measures import describe
from medgen_utils.audit.parts import counted, forest, template
from medgen_utils.audit.write import plain, write_report
from medgen_utils.benchmark.result import FEW, Result
from medgen_utils.benchmark.runs import RISE
from medgen_utils.benchmark.standings import REFERENCES
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation.predictions import patients_of

SCHEMA = "medgen-comparison-1"
RUNS = "runs"  # the folder of finished runs, beside the report
DRAWN = 40  # domains with a chart; the others are in the table and in metrics.csv


@dataclass(frozen=True)
class ComparisonReport:
    """What came out: ``report``, nested lists and numbers, and ``metrics``, a row a method and domain."""

    report: dict
    metrics: pd.DataFrame

    def write(self, folder: str | Path) -> Path:
        """Write index.html, report.json and metrics.csv into ``folder``, all or none; returns the page's path.

        Finished runs may lie beside them, in the folder `RUNS`. FileExistsError where the folder holds anything else.
        """
        page = template("medgen_utils.audit.comparison", "comparison.html.j2")
        return write_report(folder, page.render(**_shown(self.report)), self.report, self.metrics, beside=(RUNS,))


def report_comparison(
    result: Result,
    dataset: DomainDataset,
    *,
    title: str = "Methods compared on unseen domains",
    min_patients: int = 10,
    notices: Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
) -> ComparisonReport:
    """The report of `benchmark.compare` on ``dataset``: every method at every target, beside the in-domain score.

    A method is judged by its mean difference from the first one: "beyond noise" where the interval keeps clear of zero
    with all methods counted (Bonferroni), "uncertain" where it does so alone. ``min_patients`` of a class, below which
    a domain is marked. ``settings``: what else the page should say of the training. ValueError for a result without
    images.
    """
    if "prob_0" not in result.frame.columns:
        raise ValueError("the result holds scores and no predictions: a report needs those of `benchmark.compare`")
    each, differences = result.by_domain(), result.differences_by_domain()
    tested = list(dict.fromkeys(result.frame["domain"]))
    told = bool((dataset.domains.loc[tested, "hospital"] != "").any())
    report = {
        "schema": SCHEMA,
        "title": title,
        "made": {"medgen_utils": __version__, "versions": result.about.versions, "device": result.about.device},
        "training": {
            "steps": np.atleast_1d(result.about.steps).tolist(),
            "seeds": int(result.frame["seed"].nunique()),
            "seconds": round(float(result.about.seconds), 1),
            **(settings or {}),
        },
        "classes": list(dataset.class_names),
        "baseline": result.methods[0],
        "references": [name for name in result.methods if name in REFERENCES],
        "domains": domains_of(dataset, min_patients),
        "tested": tested,
        "sites": len({result.sites.get(name, name) for name in tested}) if told else None,
        "min_patients": min_patients,
        "methods": _methods(result, each),
        "by_domain": each.to_dict("records"),
        "differences": differences.to_dict("records"),
        "notices": list(notices),
    }
    metrics = each.merge(differences, on=["method", "domain"], how="left", suffixes=("", "_of_difference"))
    metrics = metrics.rename(columns={"value_of_difference": "difference"}).assign(metric=result.metric)
    return ComparisonReport(plain(report), metrics)


def domains_of(dataset: DomainDataset, minimum: int) -> list[dict]:
    """Who is in each domain, and why it cannot be judged: `measures.describe` of a data set."""
    names = np.array(dataset.domain_names, object)[dataset.domain.numpy()]
    columns = {"algorithm": "", "domain": names, "index": dataset.index.numpy(), "y": dataset.y.numpy()}
    frame = pd.DataFrame(columns | {"group": patients_of(dataset)})
    return describe(frame, dataset.class_names, minimum, None)


def large_enough(dataset: DomainDataset, targets: Sequence[str], minimum: int) -> tuple[str, ...]:
    """The targets with ``minimum`` patients or more of each of their classes. ValueError where none has."""
    notes = {row["domain"]: row["note"] for row in domains_of(dataset, minimum)}
    enough = tuple(name for name in targets if notes[name] is None)
    if not enough:
        found = "; ".join(f"{name}: {notes[name]}" for name in list(targets)[:3])
        raise ValueError(f"no domain can be tested ({found}): merge domains, or name some with --target")
    return enough


def _methods(result: Result, each: pd.DataFrame) -> list[dict]:
    """A row a method, in the order given: mean, in-domain mean, worst domain, difference with its verdict."""
    judged = [name for name in result.methods[1:] if name not in REFERENCES]
    alone = result.differences().set_index("method")
    together = result.differences(1 - 0.05 / max(1, len(judged))).set_index("method")
    rows = []
    for name in result.methods:
        mine = each[each["method"] == name].dropna(subset="value").set_index("domain")
        row = {"method": name, "mean": mine["value"].mean(), "inside": mine["inside"].mean()}
        worst = mine["value"].idxmin() if len(mine) else None
        row |= {"worst": worst, "worst_value": mine["value"].min(), "rise": result.rises.get(name)}
        row |= dict.fromkeys(("difference", "low", "high", "interval", "better", "units", "verdict"))
        if name in alone.index:
            found = alone.loc[name]
            row |= found[["low", "high", "interval", "better", "units"]].to_dict() | {"difference": found["value"]}
            row["verdict"] = _verdict(found, together.loc[name]) if name in judged else "reference"
        rows.append(row)
    return rows


def _verdict(alone: pd.Series, together: pd.Series) -> str:
    if np.isnan(alone["low"]):
        return "undefined"
    clear, clear_together = (row["low"] > 0 or row["high"] < 0 for row in (alone, together))
    return "beyond noise" if clear and clear_together else "uncertain" if clear else "within noise"


def _shown(report: dict) -> dict:
    """What the page shows of the report: charts, and numbers in words."""
    few = {row["domain"] for row in report["domains"] if row["note"]}
    names = [row["method"] for row in report["methods"]]
    each = {(row["method"], row["domain"]): row for row in report["by_domain"]}
    charts = []
    for domain in report["tested"][:DRAWN]:
        groups = []
        for name in names:
            row = each[name, domain]
            lines = [(0, row)]
            if row["inside"] is not None:
                lines.append((1, {"value": row["inside"], "low": None, "high": None}))
            groups.append((name, lines))
        charts.append((domain, domain in few, forest(groups, [0.5], f"AUROC at {domain} and in domain")))
    patients = sum(row["patients"] for row in report["domains"])
    known = any(row["known"] for row in report["domains"])
    cards = {
        "image": sum(row["images"] for row in report["domains"]),
        **({"patient": patients} if known else {}),
        "tested domain": len(report["tested"]),
        **({"site": report["sites"]} if report["sites"] else {}),
        "method": len(names),
        "seed": report["training"]["seeds"],
    }
    rises = {row["method"]: row["rise"] for row in report["methods"] if row["rise"] is not None}
    n = len(report["tested"])
    return {
        "report": report,
        "cards": [counted(number, thing).split(" ", 1) for thing, number in cards.items()],
        "known": known,
        "charts": charts,
        "differences": _differences(report),
        "points": n <= FEW,
        "smallest": 2 / 2**n,
        "rising": {name: value for name, value in rises.items() if value > RISE},
        "looked": bool(rises),
        "compared": sum(row["verdict"] is not None and row["verdict"] != "reference" for row in report["methods"]),
        "untested": [row for row in report["domains"] if row["domain"] not in report["tested"]],
        "listed": [row for row in report["domains"] if row["note"] and row["domain"] in report["tested"]],
    }


def _differences(report: dict) -> dict | None:
    """A line a tested domain where they are few, else the mean over them with its interval."""
    if len(report["methods"]) < 2:
        return None
    what = f"AUROC minus that of {report['baseline']}"
    if len(report["tested"]) > FEW:
        rows = [row | {"value": row["difference"]} for row in report["methods"][1:]]
        return forest([(row["method"], [(0, row)]) for row in rows], [0.0], what)
    groups: dict[str, list] = {row["method"]: [] for row in report["methods"][1:]}
    for row in report["differences"]:
        groups[row["method"]].append((report["tested"].index(row["domain"]), row))
    return forest(list(groups.items()), [0.0], what)
