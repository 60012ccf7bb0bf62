"""AUROC, shares and means of a domain as `Estimate`s, the images of a patient kept together. Chapter: audit.

The variance of an AUROC is that of DeLong, DeLong & Clarke-Pearson 1988, with patients as clusters as in Obuchowski
1997, from midranks in O(n log n) (Sun & Xu 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from medgen_utils.evaluation.estimates import NOT_DEFINED, PATIENTS_OF_PRIOR, Estimate, Part, scale_of
from medgen_utils.evaluation.metrics import average_precision, predicted_class


class Clustered(NamedTuple):
    """AUROC with DeLong's variance over patients; what each patient adds to it (units,); patients with either class."""

    value: float
    variance: float
    influence: np.ndarray
    positive_units: int
    negative_units: int


def placements(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """For each image the share of the other class on its right side, ties one half: (n,) in [0, 1].

    positive (n,) bool, score (n,). Their mean over the positives, or over the negatives, is the AUROC.
    """
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0])
    tie = np.empty(len(score), np.int64)
    tie[order] = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(score)]))
    result = np.empty(len(score))
    for mine, sign in ((positive, 1), (~positive, -1)):
        counts = np.bincount(tie[~mine], minlength=len(starts))
        below = np.cumsum(counts) - counts / 2
        share = below[tie[mine]] / max(counts.sum(), 1)
        result[mine] = share if sign == 1 else 1 - share
    return result


def delong(positive: np.ndarray, score: np.ndarray, units: np.ndarray, n_units: int) -> Clustered:
    """AUROC of score (n,) for positive (n,) bool, images of a unit (n,) in 0 to n_units - 1 as one cluster.

    Both classes must occur (ValueError). With one image a unit the variance is DeLong's. Chapter: audit.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        raise ValueError(f"{m} positives and {n} negatives: an AUROC needs both")
    placed = placements(positive, score)
    value = float(placed[positive].mean())
    a, b = (np.bincount(units[c], placed[c] - value, n_units) / c.sum() for c in (positive, ~positive))
    with_a, with_b, both = (len(np.unique(units[c])) for c in (positive, ~positive, slice(None)))
    small = [k / (k - 1) if k > 1 else 1.0 for k in (with_a, with_b, both)]
    variance = small[0] * (a @ a) + small[1] * (b @ b) + 2 * small[2] * (a @ b)
    return Clustered(value, max(float(variance), 0.0), a + b, with_a, with_b)


def auroc_estimate(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object = None) -> Estimate:
    """AUROC of class 1, or the mean over the classes present of each against the rest; runs averaged.

    y (n,); prob: for each run (n,) of class 1 or (n, k); units (n,) numbers from 0. Not defined without two classes.
    """
    binary = _two_classes(prob)
    columns = [1] if binary else range(np.shape(prob[0])[1])
    parts = []
    for k in columns:
        if 0 < (y == k).sum() < len(y):
            scores = [p if np.ndim(p) == 1 else p[:, k] for p in prob]
            parts.append(_auroc_part(y == k, scores, units))
    if not parts:
        return NOT_DEFINED
    return Estimate(tuple(parts), (1 / len(parts),) * len(parts), (key,) * len(parts))


def share_estimate(
    right: Sequence[np.ndarray], units: np.ndarray, key: object = None, prior: float = PATIENTS_OF_PRIOR
) -> Estimate:
    """Mean of values in [0, 1] (n,), for example right or wrong; a list of runs is averaged. Not defined for n = 0."""
    if not len(units):
        return NOT_DEFINED
    x = np.mean(right, axis=0)
    return Estimate((_mean_part(x, x - x.mean(), units, prior),), (1.0,), (key,))


def error_estimate(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object = None) -> Estimate:
    """Mean predicted probability of class 1 minus its share, in [-1, 1]: above 0 the model expects too many."""
    p = np.mean([_of_class_1(run) for run in prob], axis=0)
    x = (y == 1).astype(float)
    part = _mean_part(x, x - p - np.mean(x - p), units, chance=float((p * (1 - p)).sum()) / len(p) ** 2)
    return Estimate((part,), (-1.0,), (key,), float(p.mean()))


def rate_estimate(
    y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, label: int, threshold: float, key: object = None
) -> Estimate:
    """Share of class ``label`` (1: sensitivity, 0: specificity) on its side of the threshold (1: prob >= threshold)."""
    inside = y == label
    right = [((_of_class_1(p)[inside] >= threshold) == bool(label)).astype(float) for p in prob]
    return share_estimate(right, units[inside], key)


def _accuracy(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object) -> Estimate:
    return share_estimate([(predicted_class(p) == y).astype(float) for p in prob], units, key)


def _balanced_accuracy(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object) -> Estimate:
    right = [(predicted_class(p) == y).astype(float) for p in prob]
    found = [share_estimate([r[y == k] for r in right], units[y == k], key) for k in np.unique(y)]
    return Estimate.mean(found) if len(found) > 1 else NOT_DEFINED


def _brier(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object) -> Estimate:
    if _two_classes(prob):
        return share_estimate([(_of_class_1(p) - y) ** 2 for p in prob], units, key, prior=2)
    loss = [((p - np.eye(p.shape[1])[y]) ** 2).sum(1) / 2 for p in prob]
    half = share_estimate(loss, units, key, prior=2)
    return Estimate(half.parts, (2.0,), half.keys)


def _average_precision(y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object) -> Estimate:
    """As a share of the patients with the class: score ends of the size Boyd, Eng & Page 2013 take."""
    binary = _two_classes(prob)
    parts = []
    for k in [1] if binary else np.unique(y):
        if 0 < (y == k).sum() < len(y):
            scores = [_of_class_1(p) if binary else p[:, k] for p in prob]
            value = float(np.mean([average_precision((y == k).astype(int), score) for score in scores]))
            counts = np.bincount(units[y == k]).astype(float)
            parts.append(Part(value, (counts.sum() ** 2 / float(counts @ counts),), 1.0, counts / counts.sum()))
    return Estimate(tuple(parts), (1 / len(parts),) * len(parts), (key,) * len(parts)) if parts else NOT_DEFINED


ESTIMATES: dict[str, Callable[..., Estimate]] = {
    "auroc": auroc_estimate,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "average_precision": _average_precision,
    "brier": _brier,
}


def estimate(metric: str, y: np.ndarray, prob: Sequence[np.ndarray], units: np.ndarray, key: object = None) -> Estimate:
    """A metric of one domain by name (`ESTIMATES`), runs averaged; two estimates with one ``key`` share patients."""
    if metric not in ESTIMATES:
        raise ValueError(f"no interval for {metric!r} without resampling: choose from {list(ESTIMATES)} or 'bootstrap'")
    return ESTIMATES[metric](y, prob, units, key)


def _two_classes(prob: Sequence[np.ndarray]) -> bool:
    return prob[0].ndim == 1 or prob[0].shape[1] == 2


def _of_class_1(prob: np.ndarray) -> np.ndarray:
    return prob if prob.ndim == 1 else prob[:, 1]


def _auroc_part(positive: np.ndarray, scores: Sequence[np.ndarray], units: np.ndarray) -> Part:
    n_units = int(units.max()) + 1
    runs = [delong(positive, score, units, n_units) for score in scores]
    value = float(np.mean([run.value for run in runs]))
    influence = np.mean([run.influence for run in runs], axis=0)
    own = np.mean([run.influence @ run.influence for run in runs])
    seen = np.mean([run.variance for run in runs]) * (influence @ influence / own if own > 0 else 1.0)
    counts = [np.bincount(units[c]).astype(float) for c in (positive, ~positive)]
    images = [float(c.sum()) for c in counts]
    sizes = [n**2 / float(c @ c) for n, c in zip(images, counts, strict=True)]
    few = min(runs[0].positive_units, runs[0].negative_units)
    return Part(value, tuple(sizes), scale_of(value, influence, few, sizes, images, float(seen)), influence)


def _mean_part(
    x: np.ndarray, residual: np.ndarray, units: np.ndarray, prior: float = PATIENTS_OF_PRIOR, chance: float = 0.0
) -> Part:
    """Mean of x (n,) in [0, 1] whose spread is that of the residuals (n,), summed over the images of a patient.

    chance: a variance that it has at least, however alike the residuals came out.
    """
    influence, counts = np.bincount(units, residual) / len(x), np.bincount(units)
    k = int((counts > 0).sum())
    seen = max(float(influence @ influence) * (k / (k - 1) if k > 1 else 1.0), chance)
    sizes, images = (len(x) ** 2 / float(counts @ counts),), (float(len(x)),)
    value = float(x.mean())
    exact = np.array_equal(x, x.astype(bool)) and np.allclose(residual, x - value)  # a share: binomial at least
    return Part(value, sizes, scale_of(value, influence, k, sizes, images, seen, float(exact), prior), influence)
