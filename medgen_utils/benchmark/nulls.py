"""Null boards: what the scoreboard would look like if every method were ERM with other seeds. Chapter: scoreboard.

A sentence about a board that also holds on most null boards says nothing about the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from medgen_utils.benchmark.standings import ALL_SEEDS, BASELINE

NULLS = 1000


def seed_spread(final: pd.DataFrame) -> pd.Series:
    """Standard deviation of a score between seeds, for each problem: pooled over the methods and targets with several.

    final: the tested rows of the chosen trials (`standings.final_scores`). So it holds the luck of the weights, of the
    split and of the selection. A method that breaks down for some seeds would set the scale alone, so the pool is the
    median over methods of each method's pooled variance. ValueError for a problem where no method has two seeds at a
    target.
    """
    runs = final[final["seed"] != ALL_SEEDS]
    at = runs.groupby(["problem", "method", "domain"])["auroc"]
    counts, variances = at.size(), at.var(ddof=1)
    found = {}
    for problem, mine in variances.groupby(level="problem"):
        free = (counts[mine.index] - 1).where(mine.notna(), 0)
        sums = (mine.fillna(0) * free).groupby(level="method").sum()
        pooled = (sums / free.groupby(level="method").sum()).dropna()
        if pooled.empty:
            raise ValueError(f"{problem}: no method has two seeds at a target, so the luck of seeds is unknown")
        found[problem] = float(np.sqrt(pooled.median()))
    return pd.Series(found)


def null_boards(
    final: pd.DataFrame, n: int = NULLS, seed: int = 0, spread: pd.Series | None = None
) -> Iterator[pd.DataFrame]:
    """``n`` frames like ``final`` in which every method has the baseline's mean at each target plus the luck of seeds.

    A problem with one target, drawn anew for each seed, keeps the baseline's score of that seed as its mean: the same
    patients are easy or hard for every method. ``spread``: as `seed_spread` gives it, for example from more runs.
    """
    random = np.random.default_rng(seed)
    spread = seed_spread(final) if spread is None else spread
    targets = final.groupby("problem")["domain"].transform("nunique")
    unit = final["domain"].where(targets > 1, final["seed"].astype(str))
    key = [final["problem"], unit]
    base = final["auroc"].where(final["method"] == BASELINE).groupby(key).transform("mean")
    sd = final["problem"].map(spread).to_numpy()
    for _ in range(n):
        yield final.assign(auroc=base + sd * random.normal(size=len(final)))


def null_rate(
    final: pd.DataFrame,
    holds: Callable[[pd.DataFrame], bool],
    n: int = NULLS,
    seed: int = 0,
    spread: pd.Series | None = None,
) -> float:
    """Share of ``n`` null boards on which ``holds(final)`` is true: how often nothing would have passed."""
    return float(np.mean([bool(holds(board)) for board in null_boards(final, n, seed, spread)]))


def best_of_nothing(spread: float, units: int, seeds: int, contenders: int, n: int = 4000, seed: int = 0) -> np.ndarray:
    """Mean difference from the baseline of the best of ``contenders`` that are the baseline too, on ``n`` boards, (n,).

    spread: standard deviation of a score between seeds (`seed_spread`), averaged over ``seeds`` and ``units``. The
    baseline has luck of its own, so the differences of one board go up and down together.
    """
    random = np.random.default_rng(seed)
    means = random.normal(0, spread / np.sqrt(units * seeds), (n, contenders + 1))
    return (means[:, 1:] - means[:, :1]).max(axis=1)
