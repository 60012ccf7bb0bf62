"""The bootstrap of patients, for any metric and thousands of resamples at once. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.evaluation.delong import ESTIMATES, estimate
from medgen_utils.evaluation.intervals import Interval, percentiles
from medgen_utils.evaluation.metrics import Metric


def bootstrap_interval(
    metric: Metric,
    y: np.ndarray,
    score: np.ndarray,
    groups: np.ndarray | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    method: str = "bootstrap",
) -> Interval:
    """Interval of a metric by resampling patients: (value, low, high).

    y (n,), score (n,) or (n, k); metric(y, score, weights) as in ``metrics``. groups (n,): what is resampled as a
    whole, the patient, or the domain when the claim is about new hospitals (with few of them too narrow).
    method="bootstrap": percentiles; the draws are those of ``scipy.stats.bootstrap`` with
    ``rng=numpy.random.default_rng(seed)``. Where no resample differs (all positives above all negatives) they would
    be certain, so that the interval of "delong" takes their place. method="delong": no resampling, an interval that
    holds for few patients too (`delong`), for AUROC, shares and Brier score.
    """
    units = np.arange(len(y)) if groups is None else pd.factorize(np.asarray(groups), sort=True)[0]
    y, score = np.asarray(y), np.asarray(score)
    if method == "delong":
        return estimate(metric.__name__, y, [score], units).interval(level)
    if method != "bootstrap":
        raise ValueError(f"method {method!r}: choose 'bootstrap' or 'delong'")
    rng = np.random.default_rng(seed)
    draws = bootstrap_draws([metric], y, score, units, units.max() + 1, n_resamples, rng)[0]
    if metric.__name__ in ESTIMATES and no_spread(draws):
        return estimate(metric.__name__, y, [score], units).interval(level)
    return Interval(metric(y, score), *percentiles(draws, level))


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
    step = min(n_resamples, max(8, 2**22 // max(len(y), n_units)))  # resamples held at once: 32 MB
    weights = np.empty((step, len(y)), np.int64)
    for start in range(0, n_resamples, step):
        rows = min(step, n_resamples - start)
        _draw_counts(rng, n_units, units, weights[:rows])
        for i, metric in enumerate(metrics):
            draws[i, start : start + rows] = metric(y, score, weights[:rows])
    return draws


def _draw_counts(rng: np.random.Generator, n_units: int, units: np.ndarray, weights: np.ndarray) -> None:
    """Fill ``weights`` (r, n) with how often the unit of each row is drawn, a few rows at a time, within the cache."""
    step = max(1, 2**16 // n_units)
    for start in range(0, len(weights), step):
        part = weights[start : start + step]
        drawn = rng.integers(0, n_units, size=(len(part), n_units))
        drawn += n_units * np.arange(len(part))[:, None]
        counts = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        counts.take(units, axis=1, out=part, mode="clip")


def no_spread(draws: np.ndarray) -> bool:
    """Whether all resampled values (r,) that exist are one value: then they say nothing about certainty."""
    known = draws[~np.isnan(draws)]
    return len(known) > 0 and bool((known == known[0]).all())
