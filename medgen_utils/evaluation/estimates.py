"""Estimates that know how sure they are at every size: shares, means and AUROC of few patients. Chapter: audit.

A bootstrap of three patients knows three patients: it is certain where all three agree. An `Estimate` takes the spread
that the data show only as far as there are patients to show it, and beyond that the spread that a share or an AUROC of
this size must have. Its interval is a score interval (Wilson 1927 for shares, Newcombe 2006 for AUROC), so it stays in
[0, 1] and never shrinks to a point; sums and differences combine the ends of their parts (MOVER: Zou, Huang & Zhang
2009), and a p value is the level at which the interval reaches zero, so the two never disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from medgen_utils.evaluation.intervals import Interval, percentiles

CONFIDENCE = np.linspace(0, 8, 97)  # standard normal quantiles at which an interval is worked out
PATIENTS_OF_PRIOR = 8  # the spread that the data show weighs as much as the one assumed at this many patients more


@dataclass(frozen=True, eq=False)
class Part:
    """One share, mean or AUROC in [0, 1] of one domain.

    sizes: the patients it rests on, as the number that would say as much if each had one image (Kish: n^2 / sum of
    squared images), of all for a share, of both classes for an AUROC. scale: its variance as a multiple of that of
    `variance`. influence (units,): what each patient adds to it, which tells how two parts vary together.
    """

    value: float
    sizes: tuple[float, ...]
    scale: float
    influence: np.ndarray

    def equals(self, other: Part) -> bool:
        """Whether the other has the same value from the same patients, each with the same influence."""
        same = (self.value, self.sizes) == (other.value, other.sizes)
        return same and np.array_equal(self.influence, other.influence)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends at each `CONFIDENCE`: the t with (t - value)^2 = q^2 scale variance(t)."""
        q = -stdtrit(max(sum(self.sizes) - len(self.sizes), 1.0), ndtr(-CONFIDENCE))
        if len(self.sizes) == 1:  # Wilson's formula
            w = q**2 * self.scale / self.sizes[0]
            centre, half = (
                (self.value + w / 2) / (1 + w),
                np.sqrt(w * self.value * (1 - self.value) + w**2 / 4) / (1 + w),
            )
            return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)
        inner = np.full((2, len(q)), self.value)
        outer = np.stack([np.zeros(len(q)), np.ones(len(q))])
        for _ in range(32):
            middle = (inner + outer) / 2
            inside = (middle - self.value) ** 2 <= q**2 * self.scale * variance(middle, self.sizes)
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        return outer[0], outer[1]


def variance(t: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Of a share t of ``sizes`` (n,), or of an AUROC t of (positives, negatives): Newcombe 2006, method 5."""
    if len(sizes) == 1:
        return t * (1 - t) / sizes[0]
    m, n = sizes
    return t * (1 - t) / (m * n) * (1 + ((m + n) / 2 - 1) * ((1 - t) / (2 - t) + t / (1 + t)))


def scale_of(
    value: float,
    influence: np.ndarray,
    units: int,
    sizes: Sequence[float],
    images: Sequence[float],
    seen: float,
    least: float = 0.0,
    prior: float = PATIENTS_OF_PRIOR,
) -> float:
    """Variance as a multiple of ``variance(value, sizes)``: what was ``seen``, drawn to 1 where few patients show it.

    Images of a patient that agree less than fully make it smaller than 1, down to that of ``images`` independent ones;
    less than that is luck, and is taken over only in part, and never below the share ``least`` of it. What counts is
    how many patients the spread comes from (``influence``), ``units`` at most: where one patient of forty is on the
    wrong side, one has been seen.
    """
    smooth = (value * np.prod(sizes) + 0.5) / (np.prod(sizes) + 1)
    base, floor = float(variance(smooth, sizes)), float(variance(smooth, images))
    squares = influence**2
    spread = 3 * squares.sum() ** 2 / (squares @ squares) if squares.any() else 1.0  # n of n normal values
    few = max(min(units, spread) - 1, 0)
    weight = few / (few + prior)
    ratio, alone = max(seen / base, least * floor / base), floor / base
    if ratio >= 1:
        return weight * ratio + 1 - weight
    return max(ratio, alone) ** weight * (weight * min(1.0, ratio / alone) + 1 - weight)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A weighted sum of `Part`s; those with one key (a domain) come from the same patients, others are independent."""

    parts: tuple[Part, ...]
    weights: tuple[float, ...]
    keys: tuple[object, ...]
    offset: float = 0.0

    @property
    def value(self) -> float:
        """The number itself; NaN where no part is defined."""
        return self.offset + sum(w * part.value for w, part in zip(self.weights, self.parts, strict=True))

    def interval(self, level: float = 0.95) -> Interval:
        """(value, low, high); ends are NaN where the value is."""
        if np.isnan(self.value):
            return Interval(np.nan, np.nan, np.nan)
        z = ndtri((1 + level) / 2)
        below, above = (float(np.interp(z, CONFIDENCE, distance)) for distance in self._distances)
        return Interval(self.value, self.value - below, self.value + above)

    def p_value(self) -> float:
        """Two-sided, of the value 0: one minus the level at which the interval reaches it."""
        if np.isnan(self.value):
            return np.nan
        distance = self._distances[0 if self.value > 0 else 1]
        if self.value == 0 or abs(self.value) <= distance[0]:
            return 1.0
        return float(2 * ndtr(-np.interp(abs(self.value), np.maximum.accumulate(distance), CONFIDENCE)))

    def draws(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n,) draws from the distribution whose quantiles are the ends of the intervals."""
        if not self.parts:
            return np.full(n, self.offset)
        root = np.linalg.cholesky(self._correlation + 1e-9 * np.eye(len(self.parts)))
        total = np.full(n, self.offset)
        for z, weight, part in zip(root @ rng.normal(size=(len(root), n)), self.weights, self.parts, strict=True):
            low, high = part.ends
            total += weight * np.where(z < 0, np.interp(-z, CONFIDENCE, low), np.interp(z, CONFIDENCE, high))
        return total

    def minus(self, other: Estimate) -> Estimate:
        """The difference; a part that both hold, a model compared with itself, goes out."""
        mine, theirs = (list(zip(e.parts, e.weights, e.keys, strict=True)) for e in (self, other))
        for term in list(theirs):
            if same := [own for own in mine if own[1:] == term[1:] and own[0].equals(term[0])]:
                mine.remove(same[0])
                theirs.remove(term)
        terms = mine + [(part, -weight, key) for part, weight, key in theirs]
        parts, weights, keys = zip(*terms, strict=True) if terms else ((), (), ())
        return Estimate(parts, weights, keys, self.offset - other.offset)

    @staticmethod
    def mean(estimates: Sequence[Estimate]) -> Estimate:
        """The mean of several."""
        d = len(estimates)
        weights = tuple(w / d for e in estimates for w in e.weights)
        parts, keys = (tuple(x for e in estimates for x in getattr(e, name)) for name in ("parts", "keys"))
        return Estimate(parts, weights, keys, sum(e.offset for e in estimates) / d)

    @staticmethod
    def worst(estimates: Sequence[Estimate], level: float, sign: int, n: int = 2000, seed: int = 0) -> Interval:
        """The lowest of several (highest with sign -1), independent of each other, with the interval of the lowest."""
        rng = np.random.default_rng(seed)
        lowest = np.min([sign * e.draws(n, rng) for e in estimates], axis=0)
        value = sign * min(sign * e.value for e in estimates)
        return Interval(value, *percentiles(sign * lowest, level))

    @cached_property
    def _correlation(self) -> np.ndarray:
        """(p, p) correlation of the parts, drawn to the careful side where patients are few."""
        p = len(self.parts)
        result = np.eye(p)
        for i in range(p):
            for j in range(i):
                if self.keys[i] == self.keys[j]:
                    same = self.weights[i] * self.weights[j] > 0
                    result[i, j] = result[j, i] = _correlation(self.parts[i].influence, self.parts[j].influence, same)
        return result

    @cached_property
    def _distances(self) -> tuple[np.ndarray, np.ndarray]:
        """How far the lower and the upper end lie from the value, at each `CONFIDENCE`."""
        if not self.parts:
            return np.zeros(len(CONFIDENCE)), np.zeros(len(CONFIDENCE))
        signs = np.sign(self.weights)
        correlation = self._correlation * signs[:, None] * signs
        sides = [[], []]
        for weight, part in zip(self.weights, self.parts, strict=True):
            low, high = (abs(weight) * np.abs(end - part.value) for end in part.ends)
            for side, distance in zip(sides, (low, high) if weight > 0 else (high, low), strict=True):
                side.append(distance)
        below, above = (np.einsum("iz,ij,jz->z", a, correlation, a) for a in map(np.array, sides))
        return np.sqrt(np.maximum(below, 0)), np.sqrt(np.maximum(above, 0))


NOT_DEFINED = Estimate((), (), (), np.nan)


def _correlation(a: np.ndarray, b: np.ndarray, same_sign: bool) -> float:
    n = max(len(a), len(b))
    a, b = (np.pad(x, (0, n - len(x))) for x in (a, b))  # later patients hold no image of this part
    size = np.sqrt((a @ a) * (b @ b))
    if size == 0:
        return float(same_sign)
    units = np.count_nonzero((a != 0) | (b != 0))
    weight = units / (units + PATIENTS_OF_PRIOR)
    return weight * float(a @ b / size) + (1 - weight) * same_sign
