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
import torch
from scipy import stats

from medgen_utils.data import DomainDataset
from medgen_utils.metrics import (
    METRICS,
    Metric,
    UndefinedMetric,
    accuracy,
    auroc,
    balanced_accuracy,
    brier,
    calibration_error,
    decision_curve,
    expected_calibration_error,
    f1,
    reliability_curve,
    sensitivity_at_specificity,
)

__all__ = [
    "METRICS", "Cell", "Interval", "SignFlip", "UndefinedMetric", "accuracy", "auroc", "balanced_accuracy",
    "bootstrap_draws", "bootstrap_interval", "brier", "calibration_error", "cells_by_domain", "decision_curve",
    "expected_calibration_error", "f1", "generalization_gap", "metrics_by", "paired_difference", "predictions_frame",
    "probabilities", "reliability_curve", "sensitivity_at_specificity", "sign_flip_test", "worst_domain",
]  # fmt: skip

LOWER_IS_BETTER = ("brier", "calibration_error")


class Interval(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


class Cell(NamedTuple):
    """One domain in one group of runs: images, value of each metric (m,), and its resamples (m, r)."""

    n: int
    value: np.ndarray
    draws: np.ndarray


def predictions_frame(
    algorithm: object,
    dataset: DomainDataset,
    *,
    name: str,
    seed: int,
    protocol: str,
    split: str = "test",
    index: Sequence[int] | None = None,
    batch_size: int = 512,
) -> pd.DataFrame:
    """The tidy frame of one run on one data set, a row per image, in the order of the data set.

    algorithm: anything with ``predict(x) -> logits (n, k)``; a module is put in evaluation mode and back. ``index``
    numbers the images (their position in ``dataset`` unless given): pass it where two runs see different subsets.
    ``group`` is "domain/patient", or "domain/image index" where the patient is unknown, so that patients of two
    hospitals never collide; ``run`` is "protocol/name/seed".
    """
    training = getattr(algorithm, "training", False)
    parameters = iter(algorithm.parameters() if isinstance(algorithm, torch.nn.Module) else ())
    device = next(parameters, dataset.x).device
    if training:
        algorithm.eval()
    try:
        with torch.no_grad():
            logits = torch.cat([algorithm.predict(x.to(device)).cpu() for x in dataset.x.split(batch_size)])
    finally:
        if training:
            algorithm.train()
    prob = logits.double().softmax(1).numpy()
    index = np.arange(len(dataset)) if index is None else np.asarray(index, np.int64)
    domain = np.array(dataset.domain_names, dtype=object)[dataset.domain.numpy()]
    group = [f"{d}/{g}" if g else f"{d}/image {i}" for d, g, i in zip(domain, dataset.group, index, strict=True)]
    columns = {
        "run": f"{protocol}/{name}/{seed}",
        "algorithm": name,
        "seed": seed,
        "protocol": protocol,
        "split": split,
    }
    columns |= {"domain": domain, "group": group, "index": index, "y": dataset.y.numpy(), "pred": prob.argmax(1)}
    return pd.DataFrame(columns | {f"prob_{k}": prob[:, k] for k in range(prob.shape[1])})


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    """The columns prob_0 ... prob_(k-1) of a tidy frame as (n, k), without those that are empty in all its rows."""
    k = sum(column.startswith("prob_") for column in frame.columns)
    missing = [f"prob_{i}" for i in range(k) if f"prob_{i}" not in frame.columns]
    if k < 2 or missing:
        raise ValueError(f"probabilities need columns prob_0, prob_1 ...; missing {missing or 'all'}: name them so")
    prob = np.stack([frame[f"prob_{i}"].to_numpy(float) for i in range(k)], axis=1)
    return prob[:, ~np.isnan(prob).all(0)]


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
        low, high = _percentiles(-best(-draws, axis=0), level)
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
                low, high = _percentiles(sign * (home.draws[0] - cell.draws[0]), level)
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


class SignFlip(NamedTuple):
    """Mean difference over domains, its t interval, and the sign-flip p value with the smallest it could have been."""

    value: float
    low: float
    high: float
    p_value: float
    smallest_p_value: float


def sign_flip_test(differences: Sequence[float], level: float = 0.95, seed: int = 0) -> SignFlip:
    """Does a difference hold over domains? One number per domain (D,), D >= 2: four hospitals count as four.

    Two-sided permutation test of "no difference, symmetric noise": the share of the 2^D patterns of signs whose mean
    is at least as far from 0. Exact up to 16 domains (65,536 patterns drawn beyond). The smallest p value it can
    give is 2 / 2^D: with four hospitals 0.125, so nothing is "significant at 0.05" below six of them.
    """
    d = np.asarray(differences, float)
    if d.ndim != 1 or len(d) < 2 or np.isnan(d).any():
        raise ValueError(f"differences {d}: pass one finite number for each of at least two domains")
    if len(d) <= 16:
        signs = 1 - 2 * (np.arange(2 ** len(d))[:, None] >> np.arange(len(d)) & 1)
    else:
        signs = np.random.default_rng(seed).choice([-1, 1], size=(2**16, len(d)))
        signs[0] = 1
    p_value = float(np.mean(np.abs(signs @ d) >= abs(d.sum()) * (1 - 1e-12)))
    return SignFlip(*_interval(d, d, level, "domain"), p_value, max(2 / 2.0 ** len(d), 1 / len(signs)))


def bootstrap_interval(
    metric: Metric,
    y: np.ndarray,
    score: np.ndarray,
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of a metric: (value, low, high).

    y (n,), score (n,) or (n, k); metric(y, score, weights) as in ``metrics``. groups (n,): what is resampled as a
    whole, the patient, or the domain when the claim is about new hospitals (with few of them too narrow).
    The draws are those of ``scipy.stats.bootstrap`` with ``rng=numpy.random.default_rng(seed)``.
    """
    units = np.arange(len(y)) if groups is None else pd.factorize(np.asarray(groups), sort=True)[0]
    rng = np.random.default_rng(seed)
    draws = bootstrap_draws([metric], np.asarray(y), np.asarray(score), units, units.max() + 1, n_resamples, rng)
    return Interval(metric(y, score), *_percentiles(draws[0], level))


def bootstrap_draws(
    metrics: Sequence[Metric],
    y: np.ndarray,
    score: np.ndarray,
    units: np.ndarray,
    n_units: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Values of the metrics on resampled units, (metrics, n_resamples). units (n,): numbers 0 to n_units - 1.

    A resample is a row of counts, how often each unit was drawn, so a metric handles thousands of them at once;
    memory stays bounded for any n.
    """
    if score.ndim == 2 and score.shape[1] == 2:
        score = score[:, 1]
    if score.ndim == 1:  # sorted once here, not once per chunk in the metric
        order = np.lexsort((y, score))
        y, score, units = y[order], score[order], units[order]
    draws = np.empty((len(metrics), n_resamples))
    chunk = 2**16 if score.ndim == 1 else 2**22  # weights held at once: half a MB stays in the processor's cache
    step = max(1, chunk // max(len(y), n_units))
    for start in range(0, n_resamples, step):
        rows = min(step, n_resamples - start)
        drawn = rng.integers(0, n_units, size=(rows, n_units))
        drawn += n_units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_units).reshape(rows, n_units)
        weights = counts.take(units, axis=1)
        for i, metric in enumerate(metrics):
            draws[i, start : start + rows] = metric(y, score, weights)
    return draws


def cells_by_domain(
    frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str | Metric], n_resamples: int, seed: int
) -> dict[tuple, dict[str, Cell]]:
    """For each group of ``by`` and each domain in it the metrics, averaged over runs, with their resamples.

    A domain gets the same resampled patients in every group that holds the same patients, which pairs comparisons.
    """
    functions = [METRICS[metric] if isinstance(metric, str) else metric for metric in metrics]
    result: dict[tuple, dict[str, Cell]] = {}
    for key, domain, rows in _groups(frame, by):
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
    columns = list(dict.fromkeys([*by, "domain"]))
    for values, rows in frame.groupby(columns, sort=False, observed=True):
        named = dict(zip(columns, values, strict=True))
        yield tuple(named[column] for column in by), named["domain"], rows


def _interval(values: np.ndarray, draws: np.ndarray, level: float, units: str) -> Interval:
    """Mean of the domain values with the interval for other patients (``draws``) or for other domains (Student's t)."""
    value = float(values.mean())
    if units == "patient":
        return Interval(value, *_percentiles(draws, level))
    if units != "domain":
        raise ValueError(f"units {units!r}: choose 'patient' (other patients) or 'domain' (other hospitals)")
    if len(values) < 2:
        warnings.warn("one domain says nothing about other domains: the interval is NaN", UndefinedMetric, 3)
        return Interval(value, np.nan, np.nan)
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Interval(value, value - float(half), value + float(half))


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _name(metric: str | Metric) -> str:
    if isinstance(metric, str):
        if metric not in METRICS:
            raise ValueError(f"no metric {metric!r}: choose from {list(METRICS)} or pass a function")
        return metric
    return metric.__name__
