"""Audit of a model from its predictions alone: everyone's, by domain, with intervals. Chapter: evaluation_protocols.

``audit(frame)`` computes, ``Audit.write(folder)`` leaves a page, a JSON and a CSV. From the command line:
``python -m medgen_utils audit predictions.csv --label y --prob p --domain hospital --out report/``.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from medgen_utils import __version__
from medgen_utils.audit.page import render
from medgen_utils.audit.write import write_report
from medgen_utils.evaluation import Cell, cells_by_domain, probabilities
from medgen_utils.evaluation.intervals import percentiles, sign_flip_test
from medgen_utils.evaluation.metrics import (
    accuracy,
    auroc,
    balanced_accuracy,
    brier,
    calibration_error,
    confidence_and_outcome,
    reliability_curve,
)
from medgen_utils.shifts import prior_correction


@dataclass(frozen=True)
class Audit:
    """What the audit found: ``report``, nested lists and numbers, and ``metrics``, a long frame."""

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
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Audit:
    """Everything that can be said about models across domains from their predictions.

    frame: the tidy frame of `evaluation.predictions_frame`, one split; several algorithms are compared on the same
    images, their runs averaged. ``reference``: the domain the model was developed on; gaps are measured from it, and
    with two classes a threshold that finds the share ``sensitivity`` of its positives is carried to the others.
    ValueError for a frame that cannot be judged: one class in a domain, probabilities that are none.
    """
    _check(frame, reference)
    names = list(dict.fromkeys(frame["algorithm"]))
    k = probabilities(frame).shape[1]
    cells, transfers = {}, {}
    for name in names:
        rows = frame[frame["algorithm"] == name]
        threshold = _threshold(rows[rows["domain"] == reference], sensitivity) if reference and k == 2 else None
        functions = [auroc, balanced_accuracy, accuracy, brier, calibration_error]
        functions += [mean_error] if k == 2 else []
        functions += [_found(threshold), _spared(threshold)] if threshold is not None else []
        cells[name] = _cells(rows, functions, n_resamples, seed)
        columns = [function.__name__ for function in functions]
        transfers[name] = _transfer(rows, reference, threshold) if reference else []
    metrics = _table(cells, columns, level)
    findings = _judge(
        [*_gaps(cells, reference, level), *_pairs(frame, cells, level), *_miscalibrated(frame, cells, columns, level)],
        level,
    )
    report = {
        "title": title,
        "made": {"medgen_utils": __version__, "resamples": n_resamples, "seed": seed, "level": level},
        "reference": reference,
        "sensitivity": sensitivity,
        "classes": k,
        "algorithms": names,
        "runs": {name: int(frame.loc[frame["algorithm"] == name, "run"].nunique()) for name in names},
        "domains": _domains(frame, k),
        "metrics": metrics.to_dict("records"),
        "worst": [_worst(name, cells[name], level) for name in names],
        "over_domains": [_over_domains(name, cells[name], level) for name in names],
        "findings": findings,
        "domain_tests": _domain_tests(cells),
        "calibration": [_curve(frame, name, domain) for name in names for domain in cells[name]],
        "transfer": [row for name in names for row in transfers[name]],
        "peeks": int(frame["peeks"].max()) if "peeks" in frame.columns else 0,
    }
    return Audit(_plain(report), metrics)


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
    classes = frame.groupby("domain", observed=True)["y"].nunique()
    if (classes < 2).any():
        raise ValueError(f"domain {classes.idxmin()!r} holds one class only, so nothing can be told apart: exclude it")


def _cells(rows: pd.DataFrame, functions: list[Callable], n_resamples: int, seed: int) -> dict[str, Cell]:
    """`evaluation.cells_by_domain` of one algorithm, the domains side by side in threads; the numbers stay the same."""
    parts = [part for _, part in rows.groupby("domain", sort=False, observed=True)]
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # undefined values and peeks are shown on the page
        tasks = [pool.submit(cells_by_domain, part, (), functions, n_resamples, seed) for part in parts]
        return {domain: cell for task in tasks for domain, cell in task.result().groups[()].items()}


def mean_error(y: np.ndarray, prob: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
    """Mean predicted probability of class 1 minus its share: above 0 the model expects too many positives."""
    prob = prob[:, 1] if prob.ndim == 2 else prob
    rows = np.ones((1, len(y))) if weights is None else weights
    result = rows @ (prob - y) / rows.sum(1)
    return result if weights is not None else float(result[0])


def _found(threshold: float) -> Callable:
    return _rate_above("sensitivity", threshold, 1)


def _spared(threshold: float) -> Callable:
    return _rate_above("specificity", threshold, 0)


def _rate_above(name: str, threshold: float, label: int) -> Callable:
    """A metric: the share of class ``label`` on its own side of the threshold (class 1: prob >= threshold)."""

    def rate(y: np.ndarray, prob: np.ndarray, weights: np.ndarray | None = None) -> float | np.ndarray:
        prob = prob[:, 1] if prob.ndim == 2 else prob
        member = y == label
        right = member & ((prob >= threshold) == bool(label))
        rows = np.ones((1, len(y))) if weights is None else weights
        total = rows @ member.astype(float)
        result = np.divide(rows @ right.astype(float), total, out=np.full(len(rows), np.nan), where=total > 0)
        return result if weights is not None else float(result[0])

    rate.__name__ = name
    return rate


def _threshold(rows: pd.DataFrame, sensitivity: float) -> float:
    """The largest probability threshold that finds at least the share ``sensitivity`` of the positives."""
    positives = np.sort(probabilities(rows)[rows["y"] == 1, 1])[::-1]
    return float(positives[int(np.ceil(sensitivity * len(positives) - 1e-9)) - 1])


def _table(cells: dict[str, dict[str, Cell]], columns: list[str], level: float) -> pd.DataFrame:
    rows = []
    for name, domains in cells.items():
        for domain, cell in domains.items():
            for i, metric in enumerate(columns):
                rows.append([name, domain, metric, cell.value[i], cell.n, *percentiles(cell.draws[i], level)])
    return pd.DataFrame(rows, columns=["algorithm", "domain", "metric", "value", "n", "low", "high"])


def _domains(frame: pd.DataFrame, k: int) -> list[dict]:
    rows = []
    one = frame[frame["algorithm"] == frame["algorithm"].iloc[0]].drop_duplicates(["domain", "index"])
    for domain, images in one.groupby("domain", sort=False, observed=True):
        patients = images["group"].nunique()
        row = {"domain": domain, "images": len(images), "patients": patients, "known": bool(patients < len(images))}
        rows.append(row | {"counts": np.bincount(images["y"], minlength=k).tolist()})
    return rows


def _worst(name: str, cells: dict[str, Cell], level: float) -> dict:
    values = {domain: cell.value[0] for domain, cell in cells.items() if not np.isnan(cell.value[0])}
    if not values:
        return {"algorithm": name, "domain": None, "value": np.nan, "low": np.nan, "high": np.nan}
    domain = min(values, key=values.get)
    low, high = percentiles(np.min([cells[d].draws[0] for d in values], axis=0), level)
    return {"algorithm": name, "domain": domain, "value": values[domain], "low": low, "high": high}


def _over_domains(name: str, cells: dict[str, Cell], level: float) -> dict:
    """Mean AUROC over domains with both intervals: other patients of these domains, and other domains."""
    values = np.array([cell.value[0] for cell in cells.values()])
    low, high = percentiles(np.mean([cell.draws[0] for cell in cells.values()], axis=0), level)
    row = {"algorithm": name, "value": values.mean(), "low": low, "high": high, "new_low": np.nan, "new_high": np.nan}
    if len(values) > 1 and not np.isnan(values).any():
        half = stats.t.ppf((1 + level) / 2, len(values) - 1) * stats.sem(values)
        row |= {"new_low": values.mean() - half, "new_high": values.mean() + half}
    return row


def _finding(kind: str, who: str, domain: str, value: float, draws: np.ndarray, level: float) -> dict:
    low, high = percentiles(draws, level)
    spread = np.nanstd(draws) if not np.isnan(draws).all() else np.nan
    p_value = float(2 * stats.norm.sf(abs(value) / spread)) if spread > 0 else 1.0
    row = {"kind": kind, "who": who, "domain": domain, "value": value, "low": low, "high": high}
    return row | {"p_value": p_value if not np.isnan(value) else np.nan}


def _gaps(cells: dict[str, dict[str, Cell]], reference: str | None, level: float) -> list[dict]:
    """AUROC of the reference minus that of every other domain."""
    rows = []
    for name, domains in cells.items() if reference else ():
        home = domains[reference]
        for domain, cell in domains.items():
            if domain != reference:
                gap, draws = home.value[0] - cell.value[0], home.draws[0] - cell.draws[0]
                rows.append(_finding("gap", name, domain, gap, draws, level))
    return rows


def _pairs(frame: pd.DataFrame, cells: dict[str, dict[str, Cell]], level: float) -> list[dict]:
    """AUROC of one model minus that of another on the same patients, for each domain."""
    columns = ["domain", "index", "y"]
    images = {name: frame.loc[frame["algorithm"] == name, columns].drop_duplicates() for name in cells}
    images = {name: rows.sort_values(columns).to_numpy() for name, rows in images.items()}
    rows = []
    for a, b in itertools.combinations(cells, 2):
        if not np.array_equal(images[a], images[b]):
            raise ValueError(
                f"{a!r} and {b!r} were not tested on the same images: test both on all, or audit each alone"
            )
        for domain, cell in cells[a].items():
            other = cells[b][domain]
            difference, draws = cell.value[0] - other.value[0], cell.draws[0] - other.draws[0]
            rows.append(_finding("difference", f"{a} minus {b}", domain, difference, draws, level))
    return rows


def _miscalibrated(frame: pd.DataFrame, cells: dict, columns: list[str], level: float) -> list[dict]:
    """Mean predicted minus observed share of class 1, for each model and domain (two classes)."""
    if "mean_error" not in columns:
        return []
    i = columns.index("mean_error")
    items = [(name, domain, cell) for name, domains in cells.items() for domain, cell in domains.items()]
    return [_finding("calibration", name, domain, c.value[i], c.draws[i], level) for name, domain, c in items]


def _judge(findings: list[dict], level: float) -> list[dict]:
    """A verdict for each finding. Holm's correction counts all of them: one in twenty looks real by chance alone."""
    known = sorted((f for f in findings if not np.isnan(f["p_value"])), key=lambda f: f["p_value"])
    limit = 0.0
    for i, finding in enumerate(known):
        limit = max(limit, min(1.0, finding["p_value"] * (len(known) - i)))
        finding["p_holm"] = limit
        alone, together = finding["p_value"] < 1 - level, limit < 1 - level
        finding["verdict"] = "beyond noise" if together else "uncertain" if alone else "within noise"
    for finding in findings:
        finding.setdefault("verdict", "undefined")
        finding.setdefault("p_holm", np.nan)
    return findings


def _domain_tests(cells: dict[str, dict[str, Cell]]) -> list[dict]:
    """For each pair of models the sign-flip test over domains."""
    rows = []
    for a, b in itertools.combinations(cells, 2):
        d = np.array([cells[a][domain].value[0] - cells[b][domain].value[0] for domain in cells[a]])
        if len(d) > 1 and not np.isnan(d).any():
            rows.append({"who": f"{a} minus {b}", "domains": len(d)} | sign_flip_test(d)._asdict())
    return rows


def _curve(frame: pd.DataFrame, name: str, domain: str) -> dict:
    """Reliability curve, its error, and the error a perfectly calibrated model would show on as many images."""
    rows = frame[(frame["algorithm"] == name) & (frame["domain"] == domain)]
    rows = rows[rows["run"] == rows["run"].iloc[0]]
    confidence, correct = confidence_and_outcome(rows["y"].to_numpy(), probabilities(rows))
    curve = reliability_curve(confidence, correct, n_bins=10)
    return {"algorithm": name, "domain": domain, "bins": curve.to_dict("records")} | _noise_floor(confidence, correct)


def _noise_floor(confidence: np.ndarray, correct: np.ndarray, draws: int = 1000) -> dict:
    """Calibration error as observed, and its 95th percentile when every probability is exactly right."""
    edges = np.clip((confidence * 15).astype(int), 0, 14)
    n, expected = np.bincount(edges, minlength=15), np.bincount(edges, confidence, 15)
    variance = np.bincount(edges, confidence * (1 - confidence), 15)
    chance = np.random.default_rng(0).normal(0, np.sqrt(variance), (draws, 15))
    floor = np.quantile(np.abs(chance).sum(1) / n.sum(), 0.95)
    return {"error": np.abs(np.bincount(edges, correct, 15) - expected).sum() / n.sum(), "floor": floor}


def _transfer(rows: pd.DataFrame, reference: str, threshold: float | None) -> list[dict]:
    """What the reference's decision rule does in every domain, as it is and after prior correction; runs averaged."""
    k = probabilities(rows).shape[1]
    home = rows.loc[rows["domain"] == reference, "y"]
    source = np.bincount(home, minlength=k) / len(home)
    result = []
    for domain, images in rows.groupby("domain", sort=False, observed=True):
        target = np.bincount(images["y"], minlength=k) / len(images)
        for corrected in (False, True) if (source > 0).all() else (False,):
            values = []
            for _, run in images.groupby("run", sort=False):
                y, prob = run["y"].to_numpy(), probabilities(run)
                prob = prior_correction(prob, source, target) if corrected else prob
                values.append(_decisions(y, prob, threshold))
            means = pd.DataFrame(values).mean().to_dict()
            name = rows["algorithm"].iloc[0]
            shares = {"prevalence": target[1] if k == 2 else np.nan, "threshold": threshold}
            result.append({"algorithm": name, "domain": domain, "corrected": corrected} | shares | means)
    return result


def _decisions(y: np.ndarray, prob: np.ndarray, threshold: float | None) -> dict:
    values = {"brier": brier(y, prob), "calibration_error": calibration_error(y, prob), "accuracy": accuracy(y, prob)}
    if threshold is None:
        return values
    flagged, positive = prob[:, 1] >= threshold, y == 1
    hits, alarms = (flagged & positive).sum(), (flagged & ~positive).sum()
    odds = threshold / (1 - threshold) if threshold < 1 else np.nan
    return values | {
        "flagged": flagged.mean(),
        "sensitivity": hits / positive.sum(),
        "specificity": 1 - alarms / (~positive).sum(),
        "predictive_value": hits / flagged.sum() if flagged.any() else np.nan,
        "net_benefit": (hits - alarms * odds) / len(y),
    }


def _plain(value: object) -> object:
    """Numbers, strings, lists and dictionaries as JSON knows them; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
