"""What only the chapter on disagreeing graders draws. Chapter: concept_shift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from medgen_utils.evaluation import auroc
from medgen_utils.plotting import INK, MARKERS, PALETTE, QUIET, name_rows

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # ticks of a logarithmic axis


def cells_by_votes(sharp: Tensor, small: Tensor, n_atypical: np.ndarray, columns: int = 4, seed: int = 0) -> Figure:
    """A row of cells for each number of votes for atypical, the last of each row beside what a network sees of it.

    sharp (n, 3, H, H), small (n, 3, h, h): the same cells at two sizes; n_atypical (n,). Cells are drawn from ``seed``.
    """
    random, counts = np.random.default_rng(seed), np.unique(n_atypical)
    figure, axes = plt.subplots(len(counts), columns + 1, figsize=(5.8, 1.13 * len(counts) + 0.3), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.015, wspace=0.02, hspace=0.02)
    for row, count in zip(axes, counts, strict=True):
        chosen = random.choice(np.flatnonzero(n_atypical == count), columns, replace=False)
        pictures = [sharp[i] for i in chosen] + [small[chosen[-1]]]
        for axis, picture in zip(row, pictures, strict=True):
            axis.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy())
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        who = {0: "none", counts.max(): f"all {count}"}.get(count, f"{count} of {counts.max()}")
        row[0].set_ylabel(who, rotation=0, ha="right", va="center", fontsize=11)
    axes[0, -2].set_title(f"{sharp.shape[2]} px", fontsize=10, loc="center")
    axes[0, -1].set_title(f"{small.shape[2]} px", fontsize=10, loc="center")
    return figure


def parts_of_disagreement(pairs: pd.DataFrame, names: Sequence[str]) -> Axes:
    """Bars of what each pair of graders differs in: what a moved line can explain, then what it cannot, with interval.

    pairs: of `concept_shift.pairs_of_graders`, with a column data; names: its values, a group of bars each.
    """
    wide = pairs.pivot_table(index=["data", "pair"], columns="measure", values="value", sort=False).loc[list(names)]
    crossed = pairs[pairs["measure"] == "crossed"].set_index(["data", "pair"]).loc[wide.index]
    _, axis = plt.subplots(figsize=(5.8, 1.2 + 0.3 * len(wide)))
    at = np.arange(len(wide)) + np.array([list(names).index(data) for data, _ in wide.index]) * 0.6
    axis.barh(at, wide["crossed"], 0.62, color=PALETTE[1], label="crossed: no moved line explains it")
    axis.barh(at, wide["moved"], 0.62, left=wide["crossed"], color=PALETTE[0], label="moved: strictness can explain it")
    error = [crossed["value"] - crossed["low"], crossed["high"] - crossed["value"]]
    axis.errorbar(crossed["value"], at, xerr=np.clip(error, 0, None), fmt="none", ecolor=INK, elinewidth=1.4)
    axis.set_yticks(at, [f"{data}: {pair}" for data, pair in wide.index])
    axis.set(xlabel="share of cells on which the pair differs", xlim=(0, None))
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axis.tick_params(axis="y", length=0)
    axis.invert_yaxis()
    axis.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0), fontsize=9.5)
    return axis


def observed_and_predicted(observed: np.ndarray, predicted: np.ndarray) -> Axes:
    """Share of images by number of votes, counted and as a model of independent errors predicts it; each (g + 1,)."""
    _, axis = plt.subplots(figsize=(5.8, 2.9))
    at = np.arange(len(observed))
    axis.plot(at, observed, MARKERS[0], color=PALETTE[0], markersize=8, label="observed")
    axis.plot(at, predicted, MARKERS[1], color=PALETTE[1], markersize=8, fillstyle="none", label="predicted")
    axis.vlines(at, observed, predicted, color=QUIET, linewidth=1.4, zorder=0)
    axis.set(xlabel=f"votes for atypical, of {len(observed) - 1}", ylabel="share of cells", yscale="log")
    axis.set_yticks(SHARES, [f"{share:.0%}" for share in SHARES])
    axis.tick_params(which="minor", left=False, labelleft=False)
    axis.legend()
    return axis


def strictness(table: pd.DataFrame, panels: Sequence[str]) -> Axes:
    """The mark that each judge gives against the share it calls atypical: a line through the panels, experts beside it.

    table: of `benchmark.graders.strictness`, a row a judge and seed; the mean is large, each seed small.
    """
    _, axis = plt.subplots(figsize=(5.8, 3.7))
    means = table.groupby("judge", sort=False)[["share", "value"]].mean()
    line = means.loc[list(panels)].sort_values("share")
    axis.plot(line["share"], line["value"], color=QUIET, linewidth=1.6, linestyle="--", zorder=1)
    for i, (judge, mean) in enumerate(means.iterrows()):
        panel = judge in panels
        colour = QUIET if panel else PALETTE[i % len(PALETTE)]
        seeds = table[table["judge"] == judge]
        axis.plot(seeds["share"], seeds["value"], ".", color=colour, alpha=0.45, markersize=5, zorder=4)
        axis.plot(mean["share"], mean["value"], MARKERS[0 if panel else i + 1], color=colour, markersize=9)
        if not panel:
            meets = np.interp(mean["share"], line["share"], line["value"])
            axis.vlines(mean["share"], mean["value"], meets, color=colour, linewidth=1.4)
        side = {"xytext": (11, 10), "ha": "left"} if panel else {"xytext": (-14, -2), "ha": "right"}
        name = axis.annotate(judge, (mean["share"], mean["value"]), textcoords="offset points", color=colour, **side)
        name.set_path_effects([withStroke(linewidth=3, foreground="white")])  # the line stops at a name
    axis.set(xlabel="share of the cells that the judge calls atypical", ylabel="AUROC by that judge")
    axis.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axis.margins(x=0.16, y=0.14)
    return axis


def taught_lines(frame: pd.DataFrame, experts: Sequence[str]) -> Axes:
    """What a network taught by each expert calls atypical on average, against what every expert calls so.

    frame: the tidy frame with the columns teacher, domain (the judge), seed; a filled mark a seed, a line an expert.
    """
    _, axis = plt.subplots(figsize=(5.8, 2.5))
    for i, judge in enumerate(experts):
        share = frame.loc[frame["domain"] == judge, "y"].mean()
        axis.axvline(share, color=PALETTE[i], linewidth=1.6, linestyle="--", zorder=0)
        axis.annotate(f"says {judge}", (share, 1.0), (0, 4), xycoords=("data", "axes fraction"), ha="center",
                      textcoords="offset points", color=PALETTE[i], fontsize=9.5)  # fmt: skip
        said = frame[(frame["teacher"] == judge) & (frame["domain"] == judge)].groupby("seed")["prob_1"].mean()
        axis.plot(said, np.full(len(said), i), MARKERS[i + 1], color=PALETTE[i], markersize=8, alpha=0.8)
    name_rows(axis, [f"taught by {expert}" for expert in experts], "mean probability of atypical", None)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(PercentFormatter(1, 0))
    return axis


def ceiling() -> Axes:
    """Agreement of a grader with a perfect model, and with a second such grader, against the grader's reliability."""
    reliability = np.linspace(0.5, 1, 50)
    _, axis = plt.subplots(figsize=(5.8, 3.2))
    for name, agreement, style in (
        ("a perfect model", reliability, "-"),
        ("a second grader", reliability**2 + (1 - reliability) ** 2, "--"),
    ):
        axis.plot(reliability, agreement, style, label=name)
    axis.set(xlabel="how often the grader is right", ylabel="agreement with the grader", ylim=(0.48, 1.02))
    axis.legend()
    return axis


def recorded_roc(y_true: np.ndarray, recorded: np.ndarray, score: np.ndarray) -> Figure:
    """ROC curves of one score (n,) against the truth and against recorded labels, each (n,) of 0 and 1."""
    figure, axis = plt.subplots(figsize=(4.4, 4.0))
    for label, y, colour in (("truth", y_true, QUIET), ("recorded labels", recorded, PALETTE[1])):
        hits = y[np.argsort(-score)]
        curve = np.cumsum(1 - hits) / (1 - hits).sum(), np.cumsum(hits) / hits.sum()
        axis.plot(*curve, color=colour, label=f"{label}: AUROC {auroc(y, score):.2f}")
    axis.plot([0, 1], [0, 1], color=QUIET, linestyle=":", linewidth=1.2)
    wrong = (y_true != recorded).mean()
    axis.set(xlabel="1 - specificity", ylabel="sensitivity")
    axis.set_title(f"{wrong:.0%} of the labels wrong", loc="left")
    axis.legend(loc="lower right", fontsize=10)
    return figure
