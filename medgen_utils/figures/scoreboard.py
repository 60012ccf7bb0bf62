"""Figures of the scoreboard: gains at each unit, target against in-domain score, critical differences.

Chapter: scoreboard.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark.ranks import Ranks

SHADE = "#F0F1F3"


def gains(scores: pd.DataFrame, families: pd.Series, limit: float = 0.1) -> Figure:
    """The difference of every method from the baseline at each unit, a row a method, a point a unit, a bar the mean.

    scores: a row a unit, a column a method, the first the baseline; families: method -> family, whose members stand
    together, best mean first. What lies beyond ``limit`` is drawn at the edge as an arrow. Few units are shown as they
    are, so there is no interval.
    """
    d = scores.iloc[:, 1:].sub(scores.iloc[:, 0], axis=0)
    mean, family = d.mean(), families.reindex(d.columns)
    best = mean.groupby(family).transform("max")
    frame = pd.DataFrame({"mean": mean, "family": family, "best": best})
    order = frame.sort_values(["best", "family", "mean"], ascending=[False, True, False]).index
    figure, axis = plt.subplots(figsize=(5.8, 1.6 + 0.3 * len(order)), layout="constrained")
    for i, name in enumerate(order):
        for k, unit in enumerate(d.index):
            value = d.loc[unit, name]
            inside = abs(value) <= limit
            marker = plotting.MARKERS[k % 7] if inside else ("<" if value < 0 else ">")
            style = {"color": plotting.PALETTE[k % 7], "alpha": 0.85, "markersize": 6}
            axis.plot(np.clip(value, -limit, limit), i, marker, label=unit if i == 0 else None, **style)
        axis.plot([np.clip(mean[name], -limit, limit)] * 2, [i - 0.28, i + 0.28], color=plotting.INK, linewidth=2)
    _shade(axis, family[order])
    plotting.name_rows(axis, list(order), "difference in AUROC", 0.0, scores.columns[0])
    axis.set_xlim(-1.08 * limit, 1.08 * limit)
    handles = [
        plt.Line2D([], [], linestyle="", marker=plotting.MARKERS[k % 7], color=plotting.PALETTE[k % 7], label=unit)
        for k, unit in enumerate(d.index)
    ]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 1.03), ncols=2, fontsize=9.5)
    plt.close(figure)
    return figure


def _shade(axis, family: pd.Series) -> None:
    """Every second family gets a band."""
    starts = np.flatnonzero(family.to_numpy() != family.shift().to_numpy())
    ends = [*starts[1:], len(family)]
    for start, end in list(zip(starts, ends, strict=True))[1::2]:
        axis.axhspan(start - 0.5, end - 0.5, color=SHADE, zorder=0)


def target_against_in_domain(board: pd.DataFrame, baseline: str = "ERM") -> Figure:
    """Each method of a problem as a point: its score inside, on held-back patients of the sources, and at the target.

    board: rows of `standings.standings` of one problem. Who lies to the right fits better; who lies above the dashed
    line, on which a gain inside is kept outside in full, generalizes better than the baseline does.
    """
    rows = board.set_index("method")
    figure, axis = plt.subplots(figsize=(5.8, 4.6), layout="constrained")
    at = rows.loc[baseline]
    low, high = rows["in_domain"].min(), rows["in_domain"].max()
    x = np.array([low - 0.004, high + 0.004])
    axis.plot(x, at["value"] + x - at["in_domain"], "--", color=plotting.QUIET, linewidth=1.3)
    names = list(rows["family"].drop_duplicates())
    for k, name in enumerate(names):
        part = rows[rows["family"] == name]
        style = {"marker": plotting.MARKERS[k % 7], "color": plotting.PALETTE[k % 7]}
        axis.scatter(part["in_domain"], part["value"], s=46, label=name, zorder=3, **style)
    axis.annotate(baseline, (at["in_domain"], at["value"]), (6, -12), textcoords="offset points", fontsize=10)
    for name in [rows["value"].idxmax(), rows["value"].idxmin()]:
        if name != baseline:
            here = rows.loc[name]
            side = "right" if here["in_domain"] > (low + high) / 2 else "left"
            offset = (-6, 7) if side == "right" else (6, 7)
            axis.annotate(
                name, (here["in_domain"], here["value"]), offset, textcoords="offset points", ha=side, fontsize=10
            )
    axis.set(xlabel="AUROC inside, on held-back patients of the sources", ylabel="AUROC at the unseen target")
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.01), ncols=2, fontsize=9.5, handletextpad=0.2)
    plt.close(figure)
    return figure


def critical_difference(result: Ranks) -> Figure:
    """Mean ranks as a column of dots, best on top; a bar joins methods of which no two are told apart (Demšar 2006)."""
    names, groups = list(result.mean.index), result.groups()
    figure, axis = plt.subplots(figsize=(5.8, 1.2 + 0.3 * len(names)), layout="constrained")
    axis.plot(result.mean, range(len(names)), "o", color=plotting.PALETTE[0], markersize=7)
    for k, group in enumerate(groups):
        first, last = names.index(group[0]), names.index(group[-1])
        at = len(names) + 0.6 + 0.5 * k
        axis.plot([at, at], [first, last], color=plotting.INK, linewidth=3, solid_capstyle="butt")
    plotting.name_rows(axis, names, "mean rank (1 is best)", None)
    right = len(names) + 0.9 + 0.5 * max(len(groups) - 1, 0)
    axis.set_xlim(0.5, max(right, 1 + result.critical_difference))
    axis.plot([1, 1 + result.critical_difference], [-1.2, -1.2], color=plotting.PALETTE[1], linewidth=3, clip_on=False)
    axis.text(1, -1.45, f"critical difference {result.critical_difference:.1f}", fontsize=10, color=plotting.PALETTE[1])
    axis.set_ylim(len(names) - 0.45, -2.1)
    plt.close(figure)
    return figure
