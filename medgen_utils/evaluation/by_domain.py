"""From predictions to claims: the tidy frame, metrics by domain, intervals, comparisons. Chapter: evaluation_protocols.

The tidy frame has a row per test image and run: ``run algorithm seed protocol split domain group index y pred
prob_0 prob_1 ...``. Three rules hold everywhere: a metric is computed within one run and one domain, never over
pooled scores of several; runs (seeds) are averaged, never counted as more patients; the images of a patient are
resampled together.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.evaluation.intervals import (
    Interval,
    bootstrap_draws,
    percentiles,
    t_interval,
)
from medgen_utils.evaluation.metrics import (
    METRICS,
    Metric,
)
from medgen_utils.evaluation.predictions import probabilities

LOWER_IS_BETTER = ("brier", "calibration_error")


class Cell(NamedTuple):
    """One domain in one group of runs: images, value of each metric (m,), and its resamples (m, r)."""

    n: int
    value: np.ndarray
    draws: np.ndarray


def metrics_by(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm", "domain"),
    metrics: Sequence[str | Metric] = ("auroc",),
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    units: str = "patient",
) -> pd.DataFrame:
    """Metrics with intervals, a long frame: the columns ``by``, then metric, value, n, low, high.

    value: the metric of each run in each domain, averaged over runs, then over the domains of the group (so without
    "domain" in ``by`` it is the mean over domains, not the metric of pooled images). n: distinct images.
    low, high: units="patient", percentile bootstrap of the patients of each domain, jointly for all runs (these
    hospitals, other patients); units="domain", Student's t over the domain values (other hospitals; NaN for one).
    NaN with a warning where a class is missing; resamples without a value are left out.
    """
    names = [_name(metric) for metric in metrics]
    rows = []
    for key, cells in cells_by_domain(frame, by, metrics, n_resamples, seed).items():
        values, draws = np.stack([c.value for c in cells.values()]), np.mean([c.draws for c in cells.values()], axis=0)
        for i, name in enumerate(names):
            value, low, high = _interval(values[:, i], draws[i], level, units)
            n = sum(cell.n for cell in cells.values())
            rows.append([*key, name, value, n, low, high])
    return pd.DataFrame(rows, columns=[*by, "metric", "value", "n", "low", "high"])


def worst_domain(
    frame: pd.DataFrame,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """The domain with the worst value (mean over runs) in each group: by, domain, metric, value, n, low, high.

    The interval resamples all domains and takes the worst of each resample. The worst of several noisy values is
    pessimistic: read it next to all domains.
    """
    best, worst = (np.min, np.argmax) if _name(metric) in LOWER_IS_BETTER else (np.max, np.argmin)
    rows = []
    for key, cells in cells_by_domain(frame, by, [metric], n_resamples, seed).items():
        names, values = list(cells), np.array([cell.value[0] for cell in cells.values()])
        draws = np.stack([cell.draws[0] for cell in cells.values()])
        at = int(worst(values)) if not np.isnan(values).any() else int(np.flatnonzero(np.isnan(values))[0])
        low, high = percentiles(-best(-draws, axis=0), level)
        rows.append([*key, names[at], _name(metric), values[at], cells[names[at]].n, low, high])
    return pd.DataFrame(rows, columns=[*by, "domain", "metric", "value", "n", "low", "high"])


def generalization_gap(
    frame: pd.DataFrame,
    reference: str,
    by: Sequence[str] = ("algorithm",),
    metric: str | Metric = "auroc",
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """How much worse each domain is than the reference domain: by, domain, metric, value, n, low, high.

    value: reference minus domain (domain minus reference where lower is better), so positive is a loss.
    """
    sign = -1 if _name(metric) in LOWER_IS_BETTER else 1
    rows = []
    for key, cells in cells_by_domain(frame, by, [metric], n_resamples, seed).items():
        if reference not in cells:
            raise ValueError(f"no reference domain {reference!r}: choose from {sorted(cells)}")
        home = cells[reference]
        for domain, cell in cells.items():
            if domain != reference:
                low, high = percentiles(sign * (home.draws[0] - cell.draws[0]), level)
                gap = sign * (home.value[0] - cell.value[0])
                rows.append([*key, domain, _name(metric), gap, cell.n, low, high])
    return pd.DataFrame(rows, columns=[*by, "domain", "metric", "value", "n", "low", "high"])


def paired_difference(
    frame: pd.DataFrame,
    a: str,
    b: str,
    metric: str | Metric = "auroc",
    by: Sequence[str] = ("domain",),
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    units: str = "patient",
) -> pd.DataFrame:
    """Metric of algorithm ``a`` minus that of ``b`` on the same images: by, metric, value, n, low, high.

    Both see the same resampled patients, so what makes a patient hard for both cancels. by=() gives the mean over
    domains; with units="domain" its interval is Student's t over the domain differences (see ``sign_flip_test``).
    ValueError where the two were not tested on the same images with the same labels.
    """
    frames = [frame[frame["algorithm"] == name] for name in (a, b)]
    keys = [f[["domain", "index", "y"]].drop_duplicates().sort_values(["domain", "index"]).to_numpy() for f in frames]
    if not len(keys[0]) or not np.array_equal(*keys):
        raise ValueError(
            f"{a!r} ({len(keys[0])} images) and {b!r} ({len(keys[1])}) differ in domain, index or y: test both on the "
            f"same images; algorithms here: {sorted(frame['algorithm'].unique())}"
        )
    cells_a, cells_b = (cells_by_domain(f, by, [metric], n_resamples, seed) for f in frames)
    rows = []
    for key, cells in cells_a.items():
        others = [cells_b[key][domain] for domain in cells]
        values = np.array([cell.value[0] - other.value[0] for cell, other in zip(cells.values(), others, strict=True)])
        draws = np.mean([c.draws[0] - o.draws[0] for c, o in zip(cells.values(), others, strict=True)], axis=0)
        value, low, high = _interval(values, draws, level, units)
        rows.append([*key, _name(metric), value, sum(cell.n for cell in cells.values()), low, high])
    return pd.DataFrame(rows, columns=[*by, "metric", "value", "n", "low", "high"])


def cells_by_domain(
    frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str | Metric], n_resamples: int, seed: int
) -> dict[tuple, dict[str, Cell]]:
    """For each group of ``by`` and each domain in it the metrics, averaged over runs, with their resamples.

    A domain gets the same resampled patients in every group that holds the same patients, which pairs comparisons.
    """
    functions = [METRICS[metric] if isinstance(metric, str) else metric for metric in metrics]
    result: dict[tuple, dict[str, Cell]] = {}
    for key, domain, rows in _groups(frame, by):
        if rows.duplicated(["run", "index"]).any():
            twice = rows.loc[rows.duplicated(["run", "index"]), ["run", "index"]].iloc[0].to_list()
            raise ValueError(f"in {domain!r} run {twice[0]!r} has image {twice[1]} twice: give each run its own name")
        codes, patients = pd.factorize(rows["group"], sort=True)
        values, draws = [], []
        for run in rows["run"].unique():
            inside = (rows["run"] == run).to_numpy()
            y, prob = rows["y"].to_numpy()[inside], probabilities(rows[inside])
            rng = np.random.default_rng([seed, zlib.crc32(str(domain).encode())])
            values.append([metric(y, prob) for metric in functions])
            units = codes[inside]
            draws.append(bootstrap_draws(functions, y, prob, units, len(patients), n_resamples, rng))
        cell = Cell(rows["index"].nunique(), np.mean(values, axis=0), np.mean(draws, axis=0))
        result.setdefault(key, {})[domain] = cell
    return result


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple, str, pd.DataFrame]]:
    missing = [c for c in (*by, "run", "domain", "group", "index", "y") if c not in frame.columns]
    if missing or frame.empty:
        raise ValueError(f"a frame of {len(frame)} rows lacks the columns {missing}: see predictions_frame")
    if "split" not in by and frame.get("split", pd.Series("test")).nunique() > 1:
        raise ValueError(f"splits {sorted(frame['split'].unique())} in one frame: keep one, or add 'split' to by")
    if "peeks" in frame.columns and frame["peeks"].max() > 0:
        note = f"made after {int(frame['peeks'].max())} peek(s) at a sealed test domain: not an honest test any more"
        warnings.warn(note, stacklevel=4)
    columns = list(dict.fromkeys([*by, "domain"]))
    for values, rows in frame.groupby(columns, sort=False, observed=True):
        named = dict(zip(columns, values, strict=True))
        yield tuple(named[column] for column in by), named["domain"], rows


def _interval(values: np.ndarray, draws: np.ndarray, level: float, units: str) -> Interval:
    """Mean of the domain values with the interval for other patients (``draws``) or for other domains (Student's t)."""
    value = float(values.mean())
    if units == "patient":
        return Interval(value, *percentiles(draws, level))
    if units != "domain":
        raise ValueError(f"units {units!r}: choose 'patient' (other patients) or 'domain' (other hospitals)")
    return t_interval(values, level)


def _name(metric: str | Metric) -> str:
    if isinstance(metric, str):
        if metric not in METRICS:
            raise ValueError(f"no metric {metric!r}: choose from {list(METRICS)} or pass a function")
        return metric
    return metric.__name__
