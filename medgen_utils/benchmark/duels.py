"""Nothing against nothing: runs of one method dealt into two groups, and who would call it a win.

Chapter: evaluation_protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from medgen_utils.evaluation import cells_by_domain

Habits = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], dict[str, bool]]


class Pool(NamedTuple):
    """Runs that differ in nothing but the seed, at one domain.

    name: of the domain; value (n,) of a metric; draws (n, r) of it on the same r resamples of the patients.
    """

    name: str
    value: np.ndarray
    draws: np.ndarray

    @property
    def seed_sd(self) -> float:
        """Standard deviation between seeds."""
        return float(self.value.std(ddof=1))

    @property
    def patient_sd(self) -> float:
        """Standard deviation over other patients, mean of the runs."""
        return float(self.draws.std(axis=1, ddof=1).mean())


def pool_of(frame: pd.DataFrame, name: str, metric: str = "auroc", n_resamples: int = 1000, seed: int = 0) -> Pool:
    """The pool of a tidy frame of one domain, a run a seed. ValueError for several domains, and for a single run."""
    if (domains := frame["domain"].unique().tolist()) and len(domains) > 1:
        raise ValueError(f"{name}: runs at {domains}: a pool is of one domain, its patients are resampled together")
    cells = cells_by_domain(frame, ("run",), [metric], n_resamples, seed)
    found = [cell.estimates[0] for of_run in cells.groups.values() for cell in of_run.values()]
    if len(found) < 2:
        raise ValueError(f"{name}: {len(found)} run: a duel needs at least two")
    return Pool(name, np.array([run.value for run in found]), np.stack([run.resamples for run in found]))


def deal(
    pools: Sequence[Pool], habits: Habits, sides: Sequence[int] = (1, 3, 5), n: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How often each habit calls a difference of nothing a win: columns pool, seeds, habit, share.

    ``habits(value, draws, a, b)`` says of runs a against runs b (positions in the pool), habit by habit, whether that
    is a win. For each number of seeds a side the runs are dealt ``n`` times, a run on one side only. ValueError where
    a pool has too few runs for two sides.
    """
    random, rows = np.random.default_rng(seed), []
    for pool in pools:
        if 2 * max(sides) > len(pool.value):
            raise ValueError(f"{pool.name}: {len(pool.value)} runs, two sides of {max(sides)} take {2 * max(sides)}")
        for k in sides:
            dealt = (random.permutation(len(pool.value))[: 2 * k].reshape(2, k) for _ in range(n))
            calls = pd.DataFrame([habits(pool.value, pool.draws, a, b) for a, b in dealt])
            rows += [[pool.name, k, habit, share] for habit, share in calls.mean().items()]
    return pd.DataFrame(rows, columns=["pool", "seeds", "habit", "share"])
