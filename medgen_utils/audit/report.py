"""Audit of a model from its predictions alone: everyone's, by domain, with intervals. Chapter: audit.

``audit(frame)`` computes, ``Audit.write(folder)`` leaves a page, a JSON and a CSV. From the command line:
``python -m medgen_utils audit predictions.csv --label y --prob p --domain hospital --out report/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils import __version__
from medgen_utils.audit import measures
from medgen_utils.audit.findings import domain_tests, findings
from medgen_utils.audit.page import render
from medgen_utils.audit.transfer import Prior, check_prior, transfer
from medgen_utils.audit.write import plain, write_report
from medgen_utils.evaluation.by_domain import check_same_images, metrics_of, worst_domain_of
from medgen_utils.evaluation.cells import Cell, Cells
from medgen_utils.evaluation.estimates import Estimate
from medgen_utils.evaluation.intervals import t_interval
from medgen_utils.evaluation.predictions import probabilities

SCHEMA = "medgen-audit-2"
"""The form of report.json, described in report.schema.json. It changes with every change a reader must know of."""


@dataclass(frozen=True)
class Audit:
    """What the audit found: ``report`` (nested, see report.schema.json) and ``metrics``, a long frame."""

    report: dict
    metrics: pd.DataFrame

    def write(self, folder: str | Path) -> Path:
        """Write index.html, report.json and metrics.csv into ``folder``, all three or none; returns the page's path.

        An earlier report there is replaced. FileExistsError where the folder holds anything else.
        """
        return write_report(folder, render(self.report), self.report, self.metrics)


def audit(
    frame: pd.DataFrame,
    reference: str | None = None,
    *,
    title: str = "Audit of predictions by domain",
    sensitivity: float = 0.9,
    threshold: float | Mapping[str, float] | None = None,
    prior: Prior = None,
    aggregate: str | None = None,
    class_names: Sequence[str] | None = None,
    min_patients: int = 10,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Audit:
    """Everything that can be said about models across domains from their predictions.

    frame: the tidy frame of `evaluation.predictions_frame`, one split; several algorithms are compared on the same
    images, their runs averaged; a column ``subgroup`` (sex, age band) is reported within each domain.
    reference: the domain the model was developed on; gaps are measured from it. threshold: of the probability of class
    1, one number or one for each algorithm; without it the one that finds the share ``sensitivity`` of the reference's
    positives. prior: the class shares that the probabilities were made for (`audit.transfer`): k numbers, "balanced"
    or "reference"; None: unknown. aggregate: "mean" or "max" (of class 1) over the images of a patient.
    class_names: those of ``frame.attrs`` (`audit.read`), or numbers, unless given.
    min_patients: of each class, below which a domain is listed and not judged. n_resamples, seed: draws for the worst
    of all domains and for the noise of calibration. level: of the intervals; tests are judged at 1 - level.
    ValueError for a frame that holds no predictions.
    """
    _check(frame, reference)
    notices, named = list(frame.attrs.get("notices", [])), frame.attrs.get("patients_named")
    class_names = class_names or frame.attrs.get("class_names") or None
    if aggregate:
        frame = measures.by_patient(frame, aggregate)
    k = probabilities(frame).shape[1]
    classes = [str(name) for name in (class_names or range(k))]
    if len(classes) != k:
        raise ValueError(f"{len(classes)} class names {classes} for {k} classes: name each once, in order")
    prior = check_prior(prior, k, reference)
    names = list(dict.fromkeys(frame["algorithm"]))
    for other in names[1:]:
        check_same_images(frame, names[0], other)
    domains = measures.describe(frame, classes, min_patients, named)
    judged = [row["domain"] for row in domains if row["note"] is None]
    parts: dict[str, list] = {"by_class": [], "calibration": [], "transfer": []}
    cells, thresholds = {}, {}
    for name in names:
        rows = frame[frame["algorithm"] == name] if len(names) > 1 else frame
        tests = measures.by_domain(rows, [row["domain"] for row in domains])
        thresholds[name] = _threshold(threshold, name, tests, reference, sensitivity, k)
        cells[name] = measures.measure(name, tests, thresholds[name])
        for domain, test in tests.items():
            parts["by_class"] += measures.per_class(name, domain, test, classes, level) if k > 2 else []
            parts["calibration"].append(measures.curve(name, domain, test, n_resamples, seed))
        fixed = reference or thresholds[name] is not None or prior is not None
        parts["transfer"] += transfer(name, tests, prior, reference, thresholds[name]) if fixed else []
    metrics = _metrics(cells, parts["calibration"], level)
    report = {
        "schema": SCHEMA,
        "title": title,
        "made": {
            "medgen_utils": __version__,
            "resamples": n_resamples,
            "seed": seed,
            "level": level,
            "min_patients": min_patients,
            "aggregate": aggregate,
        },
        "reference": reference,
        "sensitivity": None if threshold is not None or reference is None or k > 2 else sensitivity,
        "thresholds": thresholds,
        "prior": prior,
        "classes": k,
        "class_names": classes,
        "algorithms": names,
        "runs": {name: int(frame.loc[frame["algorithm"] == name, "run"].nunique()) for name in names},
        "notices": notices,
        "domains": domains,
        "metrics": metrics.to_dict("records"),
        **parts,
        "worst": [_worst(found, judged, level) for found in cells.values()],
        "over_domains": [_over_domains(found, judged, level) for found in cells.values()],
        "findings": findings(cells, domains, reference, min_patients, level),
        "domain_tests": domain_tests(cells, judged, level),
        "subgroups": measures.subgroups(frame, classes, min_patients, level) if "subgroup" in frame else [],
        "peeks": int(frame["peeks"].max()) if "peeks" in frame.columns else 0,
    }
    return Audit(plain(report), metrics)


def _check(frame: pd.DataFrame, reference: str | None) -> None:
    needed = ["run", "algorithm", "domain", "group", "index", "y"]
    if missing := [column for column in needed if column not in frame.columns]:
        raise ValueError(f"the frame lacks the columns {missing}: see evaluation.predictions_frame")
    if frame.empty:
        raise ValueError("the frame has no rows: there is nothing to audit")
    if "split" in frame.columns and frame["split"].nunique() > 1:
        raise ValueError(f"splits {sorted(frame['split'].unique())} in one frame: audit one of them")
    prob = probabilities(frame)
    if not ((prob >= 0) & (prob <= 1)).all() or np.abs(prob.sum(1) - 1).max() > 0.01:
        raise ValueError("probabilities must lie in [0, 1] and sum to one in every row: repair prob_0, prob_1 ...")
    domains = frame["domain"].unique()
    if reference is not None and reference not in domains:
        raise ValueError(f"no reference domain {reference!r}: choose from {sorted(domains)}")
    if reference is not None:
        for name in frame["algorithm"].unique():
            if not ((frame["algorithm"] == name) & (frame["domain"] == reference)).any():
                raise ValueError(f"model {name!r} has no rows in the reference {reference!r}: test it there too")
    if frame["y"].nunique() < 2:
        raise ValueError(f"all {len(frame)} rows are class {frame['y'].iloc[0]}, one class: nothing can be told apart")


def _threshold(
    given: float | Mapping[str, float] | None, name: str, tests: dict, reference: str | None, sensitivity: float, k: int
) -> float | None:
    if given is not None and k > 2:
        raise ValueError(f"a threshold is for two classes, and there are {k}: leave it out")
    if isinstance(given, Mapping):
        if name not in given:
            raise ValueError(f"no threshold for model {name!r} among {dict(given)}: give one for each")
        given = given[name]
    if given is not None:
        if not 0 <= given <= 1:
            raise ValueError(f"threshold {given} of {name!r}: it is a probability in [0, 1]")
        return float(given)
    if reference is None or k > 2 or not (tests[reference][0] == 1).any():
        return None
    return measures.threshold_of(tests[reference], sensitivity)


def _metrics(cells: dict[str, Cells], curves: list[dict], level: float) -> pd.DataFrame:
    """A row a model, domain and metric. The calibration error has no interval: it is read beside its noise floor."""
    tables = []
    for found in cells.values():
        for key, domains in found.groups.items():
            by_domain = Cells(("algorithm", "domain"), found.metrics, {(*key, d): {d: c} for d, c in domains.items()})
            tables.append(metrics_of(by_domain, level))
    table = pd.concat(tables, ignore_index=True)
    n = dict(zip(zip(table["algorithm"], table["domain"], strict=True), table["n"], strict=True))
    errors = pd.DataFrame(curves)[["algorithm", "domain", "error"]].rename(columns={"error": "value"})
    errors["n"] = [n[key] for key in zip(errors["algorithm"], errors["domain"], strict=True)]
    table = pd.concat([table, errors.assign(metric="calibration_error")], ignore_index=True)
    return table[["algorithm", "domain", "metric", "value", "n", "low", "high"]]


def _only(cells: Cells, domains: Sequence[str]) -> tuple[str, dict[str, Cell]]:
    (key, found) = next(iter(cells.groups.items()))
    return key[0], {d: found[d] for d in domains if d in found and not np.isnan(found[d].estimates[0].value)}


def _worst(cells: Cells, judged: Sequence[str], level: float) -> dict:
    """The domain with the lowest AUROC among those with enough patients."""
    name, found = _only(cells, judged)
    if not found:
        return {"algorithm": name, "domain": None, "value": np.nan, "low": np.nan, "high": np.nan}
    table = worst_domain_of(Cells(cells.by, cells.metrics, {(name,): found}), level)
    return {"algorithm": name} | table.iloc[0][["domain", "value", "low", "high"]].to_dict()


def _over_domains(cells: Cells, judged: Sequence[str], level: float) -> dict:
    """Mean AUROC over the judged domains with both intervals: other patients of these domains, and other domains."""
    name, found = _only(cells, judged)
    row = {"algorithm": name, "domains": len(found), "cut": False}
    row |= dict.fromkeys(("value", "low", "high", "new_low", "new_high"), np.nan)
    if found:
        areas = [cell.estimates[0] for cell in found.values()]
        row |= dict(zip(("value", "low", "high"), Estimate.mean(areas).interval(level), strict=True))
        if len(areas) > 1:
            values = np.array([area.value for area in areas])
            _, low, high = t_interval(values, level)
            row |= {"new_low": max(low, 0.0), "new_high": min(high, 1.0), "cut": bool(low < 0 or high > 1)}
    return row
