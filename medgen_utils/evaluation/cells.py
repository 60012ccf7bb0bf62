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

from medgen_utils.evaluation.intervals import bootstrap_draws
from medgen_utils.evaluation.metrics import METRICS, Metric
from medgen_utils.evaluation.predictions import probabilities


class Cell(NamedTuple):
    """One domain in one group of runs: images, value of each metric (m,), and its resamples (m, r)."""

    n: int
    value: np.ndarray
    draws: np.ndarray


@dataclass(frozen=True)
class Cells:
    """For each group (a tuple of values of the columns ``by``) and each domain in it a `Cell` of ``metrics``."""

    by: tuple[str, ...]
    metrics: tuple[str, ...]
    groups: dict[tuple, dict[str, Cell]]


def cells_by_domain(
    frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str | Metric], n_resamples: int, seed: int
) -> Cells:
    """For each group of ``by`` and each domain in it the metrics, averaged over runs, with their resamples.

    A domain gets the same resampled patients in every group that holds the same patients, which pairs comparisons.
    """
    functions = [_function(metric) for metric in metrics]
    groups: dict[tuple, dict[str, Cell]] = {}
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
        groups.setdefault(key, {})[domain] = cell
    names = tuple(metric if isinstance(metric, str) else metric.__name__ for metric in metrics)
    return Cells(tuple(by), names, groups)


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
