"""Measures of one set of predictions, also for many resamples. Chapters: evaluation_protocols, evaluation_reports.

Every metric takes ``y`` (n,) class numbers, ``prob`` (n,) of class 1 or (n, k) of all classes, and ``weights``:
None gives one number, (r, n) non-negative weights give r numbers (a bootstrap resample is a row of counts).
The positive class of a binary problem is class 1, its default threshold 0.5 (strictly above), as in MedMNIST.
Where a metric is undefined (a class without images) the value is NaN, with a warning where it is a single number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

Array = np.ndarray
Metric = Callable[..., float | Array]

LOWER_IS_BETTER = ("loss", "brier", "calibration_error")
HIGHEST = {"brier": 2.0}  # of several classes; every other metric here ends at 1


class UndefinedMetric(RuntimeWarning):
    """A metric has no value on these images, for example an AUROC without positive cases."""


def auroc(y: Array, score: Array, weights: Array | None = None) -> float | Array:
    """Probability that a random positive scores above a random negative (ties count one half), in [0, 1].

    score (n,): any real score of class 1; (n, k): the mean over classes of each one against the rest, unweighted
    (k = 2: that of column 1). Equal to scikit-learn's ``roc_auc_score(multi_class="ovr", average="macro")``.
    """
    y, score, rows = _checked(y, score, weights)
    if score.ndim == 1:
        return _answer(_binary_auroc(y == 1, score, rows), weights, "auroc")
    return _answer(
        np.mean([_binary_auroc(y == k, score[:, k], rows) for k in range(score.shape[1])], 0), weights, "auroc"
    )


def _binary_auroc(positive: Array, score: Array, weights: Array) -> Array:
    ties, up = score[1:] == score[:-1], score[1:] >= score[:-1]
    if not (up & ~(ties & positive[:-1] & ~positive[1:])).all():  # not yet in order: by score, negatives first in a tie
        order = np.lexsort((positive, score))
        positive, score = positive[order], score[order]
        ties = score[1:] == score[:-1]
    else:
        order = None
    tied = np.flatnonzero(np.r_[False, ties] | np.r_[ties, False])
    starts = np.flatnonzero(np.r_[True, np.diff(score[tied]) != 0]) if len(tied) else None
    results = []
    for w in _blocks(weights):
        w = w if order is None else w.take(order, axis=1)
        w_positive = w * positive
        w_negative = w - w_positive
        below = np.cumsum(w_negative, axis=1)
        wins = np.einsum("rn,rn->r", w_positive, below).astype(float)
        if starts is not None:  # so far a tied pair counts as a win: take half of it back
            t_positive, t_negative = (np.add.reduceat(v.take(tied, 1), starts, 1) for v in (w_positive, w_negative))
            wins -= np.einsum("rn,rn->r", t_positive, t_negative) / 2
        results.append(_ratio(wins, w_positive.sum(1) * below[:, -1].astype(float)))
    return np.concatenate(results)


def accuracy(y: Array, prob: Array, weights: Array | None = None) -> float | Array:
    """Share of images whose most probable class is the recorded one, in [0, 1]. It follows the prevalence."""
    y, prob, rows = _checked(y, prob, weights)
    return _answer(_mean(predicted_class(prob) == y, rows), weights, "accuracy")


def balanced_accuracy(y: Array, prob: Array, weights: Array | None = None) -> float | Array:
    """Mean over classes of the share of their images that is recognised, in [0, 1]; it ignores the prevalence."""
    y, prob, rows = _checked(y, prob, weights)
    correct = predicted_class(prob) == y
    member = y[:, None] == np.arange(_n_classes(prob))
    recalls = _ratio(_total(rows, correct[:, None] & member), _total(rows, member))
    return _answer(recalls.mean(axis=1), weights, "balanced_accuracy")


def f1(y: Array, prob: Array, weights: Array | None = None) -> float | Array:
    """Harmonic mean of precision and recall of class 1; with k > 2 classes the mean over all of them, in [0, 1].

    NaN where a class is neither present nor predicted.
    """
    y, prob, rows = _checked(y, prob, weights)
    predicted = predicted_class(prob)
    classes = range(prob.shape[1]) if prob.ndim == 2 else (1,)
    scores = [
        _ratio(2 * _total(rows, (predicted == k) & (y == k)), _total(rows, predicted == k) + _total(rows, y == k))
        for k in classes
    ]
    return _answer(np.mean(scores, axis=0), weights, "f1")


def sensitivity_at_specificity(
    y: Array, score: Array, weights: Array | None = None, specificity: float = 0.9
) -> float | Array:
    """Largest share of positives found by a threshold that leaves at least ``specificity`` of the negatives alone.

    Two classes only (ValueError otherwise). The threshold is chosen on the same images: optimistic on few of them.
    """
    y, score, rows = _checked(y, score, weights)
    if score.ndim == 2:
        raise ValueError(f"sensitivity needs one score per image, got {score.shape}: pass the column of one class")
    order = np.argsort(-score, kind="stable")
    tie_ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    positive = (y == 1)[order]
    result = np.empty(len(rows))
    for i, w in enumerate(rows):
        found, alarms = np.cumsum(w[order] * positive)[tie_ends], np.cumsum(w[order] * ~positive)[tie_ends]
        allowed = alarms <= (1 - specificity) * alarms[-1] + 1e-9
        best = found[allowed].max(initial=0.0)
        result[i] = best / found[-1] if found[-1] > 0 and alarms[-1] > 0 else np.nan
    return _answer(result, weights, "sensitivity_at_specificity")


def average_precision(y: Array, score: Array, weights: Array | None = None) -> float | Array:
    """Area under the precision-recall curve: mean precision at the positives, in [0, 1]; its chance is the prevalence.

    score (n,) of class 1, or (n, k): the mean over classes, each against the rest. Tied scores count as one threshold,
    as in scikit-learn's ``average_precision_score``.
    """
    y, score, rows = _checked(y, score, weights)
    pairs = [(y == 1, score)] if score.ndim == 1 else [(y == k, score[:, k]) for k in range(score.shape[1])]
    return _answer(np.mean([_precision(*pair, rows) for pair in pairs], axis=0), weights, "average_precision")


def _precision(positive: Array, score: Array, rows: Array) -> Array:
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    found, flagged = (np.cumsum(w, axis=1)[:, ends] for w in (rows[:, order] * positive[order], rows[:, order]))
    share = np.divide(found, flagged, out=np.zeros(found.shape), where=flagged > 0)
    return _ratio((np.diff(found, axis=1, prepend=0) * share).sum(1), found[:, -1].astype(float))


def brier(y: Array, prob: Array, weights: Array | None = None) -> float | Array:
    """Mean squared distance of the probabilities from the outcome: (p - y)^2 for two classes, in [0, 1];
    summed over the k classes for more, in [0, 2]. Proper: it falls when probabilities get nearer the truth."""
    y, prob, rows = _checked(y, prob, weights)
    loss = (prob - y) ** 2 if prob.ndim == 1 else ((prob - np.eye(prob.shape[1])[y]) ** 2).sum(1)
    return _answer(_mean(loss, rows), weights, "brier")


def calibration_error(y: Array, prob: Array, weights: Array | None = None, n_bins: int = 15) -> float | Array:
    """``expected_calibration_error`` of the probability of class 1, or with k > 2 classes of the most probable one."""
    y, prob, _ = _checked(y, prob, weights)
    return expected_calibration_error(*confidence_and_outcome(y, prob), n_bins, weights)


def expected_calibration_error(
    confidence: Array, correct: Array, n_bins: int = 15, weights: Array | None = None
) -> float | Array:
    """Mean over equal-width bins, weighted by their images, of |mean confidence - share correct|, in [0, 1].

    confidence (n,) in [0, 1], correct (n,) bool. Bins are [low, high), the last one closed (the L1 error of
    torchmetrics). Biased upwards on few images: an ideal model has an error above 0 too.
    """
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, bool)
    rows = np.ones((1, len(confidence))) if weights is None else np.asarray(weights)
    bins = _bin(confidence, n_bins)
    order = np.argsort(bins, kind="stable")
    starts = np.flatnonzero(np.diff(bins[order], prepend=-1))
    excess = (confidence - correct)[order]
    gaps = np.concatenate([np.abs(np.add.reduceat(w[:, order] * excess, starts, axis=1)).sum(1) for w in _blocks(rows)])
    return _answer(_ratio(gaps, rows.sum(1)), weights, "expected_calibration_error")


def confidence_and_outcome(y: Array, prob: Array) -> tuple[Array, Array]:
    """What calibration compares: probability of class 1 and whether it is; for k > 2 the top one, and its truth."""
    if prob.ndim == 2 and prob.shape[1] == 2:
        prob = prob[:, 1]
    if prob.ndim == 1:
        return prob, y == 1
    return prob.max(1), prob.argmax(1) == y


def reliability_curve(confidence: Array, correct: Array, n_bins: int = 15) -> pd.DataFrame:
    """One row per equal-width bin that holds images: low, high, confidence (mean), accuracy (share correct), n."""
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    bins = _bin(confidence, n_bins)
    n, total, right = (np.bincount(bins, w, n_bins) for w in (None, confidence, correct))
    used = np.flatnonzero(n)
    columns = {"low": used / n_bins, "high": (used + 1) / n_bins}
    columns |= {"confidence": total[used] / n[used], "accuracy": right[used] / n[used], "n": n[used].astype(int)}
    return pd.DataFrame(columns)


def decision_curve(y: Array, prob: Array, thresholds: Array | None = None) -> pd.DataFrame:
    """Net benefit of treating the patients above a threshold probability: columns threshold model treat_all treat_none.

    Net benefit = TP/n - FP/n * t / (1 - t) (Vickers & Elkin 2006, doi 10.1177/0272989X06295361): true positives, less
    false positives at the exchange rate the threshold t stands for. Two classes; treated: prob >= t.
    thresholds in (0, 1), 0.01 to 0.99 unless given.
    """
    y, prob, _ = _checked(y, prob, None)
    if prob.ndim == 2:
        raise ValueError(f"a decision curve needs two classes, got probabilities {prob.shape}: pass one column")
    thresholds = np.arange(1, 100) / 100 if thresholds is None else np.asarray(thresholds, float)
    odds = thresholds / (1 - thresholds)
    positives, negatives = np.sort(prob[y == 1]), np.sort(prob[y == 0])
    found = len(positives) - np.searchsorted(positives, thresholds)
    alarms = len(negatives) - np.searchsorted(negatives, thresholds)
    curve = {"threshold": thresholds, "model": (found - alarms * odds) / len(y)}
    return pd.DataFrame(curve | {"treat_all": (len(positives) - len(negatives) * odds) / len(y), "treat_none": 0.0})


METRICS: dict[str, Metric] = {
    "auroc": auroc,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "average_precision": average_precision,
    "brier": brier,
    "calibration_error": calibration_error,
    "sensitivity_at_specificity": sensitivity_at_specificity,
}


def _checked(y: Array, prob: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """y as int64, prob as float (a second column of two is taken alone), weights as (r, n)."""
    y, prob = np.asarray(y), np.asarray(prob, float)
    if len(y) == 0 or y.ndim != 1 or prob.shape[:1] != y.shape or prob.ndim > 2:
        raise ValueError(f"y {y.shape} and probabilities {prob.shape}: pass (n,) and (n,) or (n, k), n >= 1")
    if np.isnan(prob).any():
        raise ValueError(f"{int(np.isnan(prob).sum())} of the probabilities are NaN: drop or repair those images")
    if prob.ndim == 2 and prob.shape[1] == 2:
        prob = prob[:, 1]
    k = _n_classes(prob)
    if not ((y >= 0) & (y < k)).all() or (y.dtype.kind == "f" and (y % 1 != 0).any()):
        raise ValueError(f"labels {np.unique(y)[:5]} are not class numbers 0 to {k - 1}: recode them")
    rows = np.ones((1, len(y))) if weights is None else np.asarray(weights)
    if rows.ndim != 2 or rows.shape[1] != len(y):
        raise ValueError(f"weights {rows.shape} for {len(y)} images: pass (resamples, {len(y)})")
    return y.astype(np.int64), prob, rows


def _answer(values: Array, weights: Array | None, name: str) -> float | Array:
    if weights is not None:
        return values
    if np.isnan(values[0]):
        warnings.warn(f"{name} is undefined: a class has no images here; the value is NaN", UndefinedMetric, 3)
    return float(values[0])


def _ratio(above: Array, below: Array) -> Array:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below != 0)


def _mean(values: Array, rows: Array) -> Array:
    return _ratio(_total(rows, values), rows.sum(1))


def _total(rows: Array, values: Array) -> Array:
    """Weighted sums of values (n,) or (n, m) for every row of weights."""
    values = values.astype(float)
    return np.concatenate([w.astype(float, copy=False) @ values for w in _blocks(rows)])


def _blocks(rows: Array) -> list[Array]:
    """The weights in slices that stay in the processor's cache: half a MB each."""
    step = max(1, 2**16 // rows.shape[1])
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _n_classes(prob: Array) -> int:
    return prob.shape[1] if prob.ndim == 2 else 2


def predicted_class(prob: Array) -> Array:
    """The class of each image: the most probable one, class 1 strictly above 0.5 where only its probability is given.

    prob (n,) of class 1 or (n, k) -> (n,) class numbers.
    """
    prob = prob[:, 1] if prob.ndim == 2 and prob.shape[1] == 2 else prob
    return prob.argmax(1) if prob.ndim == 2 else (prob > 0.5).astype(np.int64)


def _bin(confidence: Array, n_bins: int) -> Array:
    return np.clip(np.searchsorted(np.linspace(0, 1, n_bins + 1), confidence, "right") - 1, 0, n_bins - 1)
