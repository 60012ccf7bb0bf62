"""Metrics by domain, computed once; `by_domain` makes claims of them. Chapter: evaluation_protocols.

The tidy frame has a row per test image and run: ``run algorithm seed protocol split domain group index y pred
prob_0 prob_1 ...``. Three rules hold everywhere: a metric is computed within one run and one domain, never over
pooled scores of several; runs (seeds) are averaged, never counted as more patients; the images of a patient are
resampled together.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.evaluation.bootstrap import bootstrap_draws, no_spread
from medgen_utils.evaluation.delong import ESTIMATES, estimate
from medgen_utils.evaluation.estimates import Estimate
from medgen_utils.evaluation.intervals import Interval, percentiles
from medgen_utils.evaluation.metrics import METRICS, Metric
from medgen_utils.evaluation.predictions import probabilities


class Resampled(NamedTuple):
    """A value with its resamples (r,): the bootstrap's answer to `estimates.Estimate`."""

    value: float
    resamples: np.ndarray

    def interval(self, level: float = 0.95) -> Interval:
        """Percentile interval; resamples without a value are left out."""
        return Interval(self.value, *percentiles(self.resamples, level))

    def minus(self, other: Resampled) -> Resampled:
        """The difference, on the same resamples."""
        return Resampled(self.value - other.value, self.resamples - other.resamples)

    @staticmethod
    def mean(items: Sequence[Resampled]) -> Resampled:
        """The mean of several."""
        value = float(np.mean([item.value for item in items]))
        return Resampled(value, np.mean([item.resamples for item in items], axis=0))

    @staticmethod
    def worst(items: Sequence[Resampled], level: float, sign: int) -> Interval:
        """The lowest of several (highest with sign -1), with the interval of the lowest of each resample."""
        value = sign * np.min([sign * item.value for item in items])
        draws = sign * np.min([sign * item.resamples for item in items], axis=0)
        return Interval(float(value), *percentiles(draws, level))


class Cell(NamedTuple):
    """One domain in one group of runs: distinct images, and an estimate of each metric."""

    n: int
    estimates: tuple[Resampled | Estimate, ...]


@dataclass(frozen=True)
class Cells:
    """For each group (a tuple of values of the columns ``by``) and each domain in it a `Cell` of ``metrics``."""

    by: tuple[str, ...]
    metrics: tuple[str, ...]
    groups: dict[tuple, dict[str, Cell]]


def cells_by_domain(
    frame: pd.DataFrame,
    by: Sequence[str],
    metrics: Sequence[str | Metric],
    n_resamples: int,
    seed: int,
    method: str = "bootstrap",
) -> Cells:
    """For each group of ``by`` and each domain in it the metrics, averaged over runs, each with its uncertainty.

    method="bootstrap": a domain gets the same resampled patients in every group that holds the same patients, which
    pairs comparisons. method="delong": no resampling (`delong.ESTIMATES`).
    """
    if method not in ("bootstrap", "delong"):
        raise ValueError(f"method {method!r}: choose 'bootstrap' or 'delong'")
    functions = [_function(metric) for metric in metrics]
    names = tuple(metric if isinstance(metric, str) else metric.__name__ for metric in metrics)
    groups: dict[tuple, dict[str, Cell]] = {}
    for key, domain, rows in _groups(frame, by):
        runs = runs_of(rows, domain)
        if method == "delong":
            estimates = _estimates(names, runs, domain, len(rows) == len(runs) * rows["index"].nunique())
        else:
            rng_seed = [seed, zlib.crc32(str(domain).encode())]
            estimates = _resampled(functions, names, runs, n_resamples, rng_seed)
        groups.setdefault(key, {})[domain] = Cell(rows["index"].nunique(), tuple(estimates))
    return Cells(tuple(by), names, groups)


def runs_of(rows: pd.DataFrame, domain: str) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Labels, probabilities (n, k) and patients (numbers from 0, the same in every run) of each run of one domain."""
    if rows.duplicated(["run", "index"]).any():
        twice = rows.loc[rows.duplicated(["run", "index"]), ["run", "index"]].iloc[0].to_list()
        raise ValueError(f"in {domain!r} run {twice[0]!r} has image {twice[1]} twice: give each run its own name")
    codes, _ = pd.factorize(rows["group"], sort=True)
    masks = [(rows["run"] == run).to_numpy() for run in rows["run"].unique()]
    return [(rows["y"].to_numpy()[inside], probabilities(rows[inside]), codes[inside]) for inside in masks]


def _estimates(names: Sequence[str], runs: list, domain: str, same: bool) -> list[Estimate]:
    """Of runs on the ``same`` images, or the mean of their own where each was tested on a part of the domain."""
    tests = [one_test(runs, domain)] if same else [(y, [prob], units) for y, prob, units in runs]
    return [Estimate.mean([estimate(name, *test, domain) for test in tests]) for name in names]


def one_test(runs: list, domain: str) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Labels and patients that all runs of `runs_of` share, and the probabilities of each; ValueError otherwise."""
    y, _, units = runs[0]
    if any(len(run[0]) != len(y) or (run[0] != y).any() or (run[2] != units).any() for run in runs):
        raise ValueError(f"runs in {domain!r} were not tested on the same images in one order: sort them by index")
    return y, [prob for _, prob, _ in runs], units


def _resampled(
    functions: Sequence[Metric], names: Sequence[str], runs: list, n_resamples: int, rng_seed: list[int]
) -> list[Resampled]:
    n_units = 1 + max(units.max() for _, _, units in runs)
    values, draws = [], []
    for y, prob, units in runs:
        rng = np.random.default_rng(rng_seed)
        values.append([metric(y, prob) for metric in functions])
        draws.append(bootstrap_draws(functions, y, prob, units, n_units, n_resamples, rng))
    values, draws = np.mean(values, axis=0), np.mean(draws, axis=0)
    for i, name in enumerate(names):
        if name in ESTIMATES and no_spread(draws[i]):  # no resample differs: that is no certainty
            y, prob, units = runs[0]
            draws[i] = estimate(name, y, [prob], units).draws(n_resamples, np.random.default_rng(rng_seed))
    return [Resampled(*pair) for pair in zip(values, draws, strict=True)]


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


def _function(metric: str | Metric) -> Metric:
    if not isinstance(metric, str):
        return metric
    if metric not in METRICS:
        raise ValueError(f"no metric {metric!r}: choose from {list(METRICS)} or pass a function")
    return METRICS[metric]
