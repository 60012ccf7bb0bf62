"""Ranks of many methods on few units: Friedman's test and the critical difference of Nemenyi. Chapter: scoreboard."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats


class Ranks(NamedTuple):
    """mean (Series, method -> mean rank, best first; 1 is best), critical_difference between two mean ranks, p_value of
    Friedman's test that all methods are alike, units."""

    mean: pd.Series
    critical_difference: float
    p_value: float
    units: int

    def groups(self) -> list[list[str]]:
        """The largest runs of methods of which no two differ by the critical difference, best first."""
        names, values = list(self.mean.index), self.mean.to_numpy()
        found: list[tuple[int, int]] = []
        for first in range(len(names)):
            last = int(np.flatnonzero(values - values[first] <= self.critical_difference)[-1])
            if last > first and not any(a <= first and last <= b for a, b in found):
                found.append((first, last))
        return [names[a : b + 1] for a, b in found]


def ranks(scores: pd.DataFrame, level: float = 0.95) -> Ranks:
    """Mean ranks of methods over units, and how far apart two of them must lie (Nemenyi).

    scores: a row a unit (a hospital, a clinic), a column a method, larger is better; ties share their rank. The units
    have to be independent: two scanners of one hospital are none. ValueError with fewer than two units or three
    methods, or where a score is missing. Source: Demšar 2006, equations (3.1) and (3.2) and table 5; its critical
    difference is q * sqrt(k (k + 1) / (6 N)) with q of the studentized range over the square root of 2.
    """
    units, methods = scores.shape
    if units < 2 or methods < 3:
        raise ValueError(f"{units} units and {methods} methods: ranks need at least 2 units and 3 methods")
    if scores.isna().any(axis=None):
        missing = scores.columns[scores.isna().any()].tolist()
        raise ValueError(f"{missing} lack a score at some unit: compare on the units that all have")
    mean = scores.rank(axis=1, ascending=False).mean().sort_values(kind="stable")
    q = stats.studentized_range.ppf(level, methods, np.inf) / np.sqrt(2)
    distance = float(q * np.sqrt(methods * (methods + 1) / (6 * units)))
    return Ranks(mean, distance, float(stats.friedmanchisquare(*scores.to_numpy().T).pvalue), units)
