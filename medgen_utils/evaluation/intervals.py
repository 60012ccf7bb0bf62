"""Intervals and tests for a few numbers, one a domain, and for many at once. Chapter: evaluation_protocols."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtrit  # Student's quantile; scipy.stats would double the import time

from medgen_utils.evaluation.metrics import UndefinedMetric


class Interval(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float


def with_interval(found: Any, form: str = "+z.2f") -> str:
    """A value and its interval in words, each number in the same format: "+0.02 (-0.01 to +0.05)".

    found: an `Interval`, a row of a table with the columns value, low and high, or three numbers in this order.
    """
    value, low, high = (found.value, found.low, found.high) if hasattr(found, "value") else found
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    """Ends of the percentile interval of resampled values (r,); those that are NaN are left out, NaN where all are."""
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return np.nan, np.nan
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def t_interval(values: np.ndarray, level: float = 0.95, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    """Mean of a few independent values (D,), one a domain, with Student's t interval; NaN ends for a single one.

    The interval for the mean over *other* hospitals. It assumes that the hospitals at hand are a fair sample of them;
    resampling four hospitals instead would be too narrow. Ends beyond ``bounds`` are cut there, which costs no
    coverage: the mean of an AUROC is never above 1.
    """
    values = np.asarray(values, float)
    value = float(values.mean())
    if len(values) < 2:
        warnings.warn("one domain says nothing about other domains: the interval is NaN", UndefinedMetric, stacklevel=3)
        return Interval(value, np.nan, np.nan)
    half = float(stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(value, max(value - half, bounds[0]), min(value + half, bounds[1]))


def with_repeats(interval: Interval, repeats: np.ndarray, level: float = 0.95) -> Interval:
    """An interval over patients, widened by what repeated trainings (R,) differ in: other patients, other seeds.

    ``interval`` is that of the mean over the repeats. Its half-widths and that of `t_interval` of the repeats are
    squared and added, as if the two were independent; where each seed draws other test patients too, that is too wide
    rather than too narrow. A single repeat shows no difference and widens nothing: say that it is one.
    Chapter: concept_shift.
    """
    repeats = np.asarray(repeats, float)
    extra = 0.0
    if len(repeats) > 1:
        seeds = t_interval(repeats, level)
        extra = (seeds.high - seeds.low) / 2
    value, low, high = interval
    return Interval(value, value - float(np.hypot(value - low, extra)), value + float(np.hypot(high - value, extra)))


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
    return SignFlip(*t_interval(d, level), p_value, max(2 / 2.0 ** len(d), 1 / len(signs)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of p values (m,), in the order given: below 0.05 survives counting all m of them.

    The chance of one false alarm or more among the m tests stays below the level, however they depend on each other.
    Source: Holm 1979. Chapters: domain_shift, scoreboard.
    """
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    return np.minimum(1, np.maximum.accumulate(scaled))[np.argsort(order)]
