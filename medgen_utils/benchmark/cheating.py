"""What looking at the target buys, from the store: the more was tried, the more. Chapter: evaluation_protocols.

All runs of a method at a target (its settings and seeds) are candidates; a rule picks one of k that were tried. The
mean over all choices of k is exact, nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark import evidence
from medgen_utils.benchmark.entries import PROTOCOL
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.standings import ALL_SEEDS, BASELINE, REFERENCES, finished, leaves_two
from medgen_utils.selection import RULES

HONEST, ORACLE = RULES[0], RULES[2]


def expected_pick(value: np.ndarray, by: np.ndarray, k: int) -> float:
    """Mean of ``value`` where ``by`` is highest, over all subsets of k candidates; both (n,), 1 <= k <= n (ValueError).

    The candidate of rank j (0 the lowest) is the best of comb(j, k - 1) of the comb(n, k) subsets. Of equal ones the
    later counts as higher.
    """
    value, n = np.asarray(value, float), len(value)
    if not 1 <= k <= n:
        raise ValueError(f"k={k} of {n} candidates: try at least one and at most all")
    best_of = np.array([comb(j, k - 1) for j in range(n)], dtype=float) / comb(n, k)
    return float(value[np.argsort(by, kind="stable")] @ best_of)


@dataclass(frozen=True)
class Tried:
    """Columns pool, left_out, runs (how many were tried), rule, value (expected AUROC at the target)."""

    frame: pd.DataFrame = field(repr=False)
    about: About

    def table(self) -> pd.DataFrame:
        """A row a pool and number of runs: mean over targets by either rule, and what looking buys."""
        means = self.frame.groupby(["pool", "runs", "rule"], sort=False)["value"].mean().unstack()
        means["bought by looking"] = means[ORACLE] - means[HONEST]
        return means[[HONEST, ORACLE, "bought by looking"]]

    def plot(self) -> Figure:
        """Both rules over the number of runs tried, mean over targets; the second pool dashed."""
        table = self.table()
        figure, axis = plt.subplots(figsize=(5.8, 3.4))
        for style, (pool, part) in zip(("-", "--"), table.groupby(level="pool", sort=False), strict=False):
            rows = part.droplevel("pool")
            for rule, colour in ((ORACLE, 1), (HONEST, 0)):
                words = f"{'looking at the target' if rule == ORACLE else 'by the sources'}, {pool}"
                axis.plot(rows.index, rows[rule], style, color=plotting.PALETTE[colour], label=words)
        ticks = [2**k for k in range(10) if 2**k <= table.index.get_level_values("runs").max()]
        axis.set(xlabel="runs to choose from", ylabel="AUROC at the target", xscale="log")
        axis.set_xticks(ticks, map(str, ticks))
        axis.minorticks_off()
        axis.legend(fontsize=9.5, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
        plt.close(figure)  # returned, so shown once
        targets = self.frame["left_out"].nunique()
        return plotting.footer(figure, f"mean over {targets} targets · {self.about.source}", self.about.credit)

    def say(self) -> Markdown:
        """What looking buys among two runs and among all, for each pool, and what the sources' rule gains."""
        sentences = []
        for pool, part in self.table().groupby(level="pool", sort=False):
            rows = part.droplevel("pool")
            one, two, most = rows.iloc[0], rows.iloc[1], rows.iloc[-1]
            sentences.append(
                f"With {pool}, choosing among {rows.index[1]} and among {rows.index[-1]} runs, looking at the target "
                f"buys {two['bought by looking']:.3f} and {most['bought by looking']:.3f} AUROC; "
                f"the sources' rule goes from {one[HONEST]:.3f} to {most[HONEST]:.3f}."
            )
        return Markdown(" ".join(sentences))


def cheating(problem: str, protocol: int = PROTOCOL) -> Tried:
    """Finished runs of ERM alone, and of all methods of the store together, on a problem; references never.

    Every setting and seed of a method at a target is a candidate. ValueError where the store has no such runs.
    """
    rows = evidence.read(problem=problem, protocol=protocol)
    rows = finished(rows[(rows["seed"] != ALL_SEEDS) & ~rows["method"].isin(REFERENCES)])
    rows = rows[~leaves_two(rows)]
    methods = list(dict.fromkeys(rows["method"]))
    pools = {f"{BASELINE} alone": [BASELINE]} | ({f"{len(methods)} methods": methods} if len(methods) > 1 else {})
    found = [row for pool, names in pools.items() for row in _picks(rows[rows["method"].isin(names)], pool)]
    frame = pd.DataFrame(found, columns=["pool", "left_out", "runs", "rule", "value"])
    return Tried(frame, evidence.result(problem, [BASELINE], protocol=protocol).about)


def _picks(rows: pd.DataFrame, pool: str) -> Sequence[list]:
    """Rows of `Tried.frame` of one pool: 1, 2, 4 ... runs, as many as every target has, and all of those."""
    scores = rows.pivot_table(index=["left_out", "method", "trial", "seed"], columns="split", values="auroc").dropna()
    most = int(scores.groupby("left_out").size().min())
    counts = [k for k in (2**j for j in range(12)) if k < most] + [most]
    return [
        [pool, target, k, rule, expected_pick(of["test"].to_numpy(), of[column].to_numpy(), k)]
        for target, of in scores.groupby("left_out")
        for k in counts
        for rule, column in ((HONEST, "validation"), (ORACLE, "test"))
    ]
