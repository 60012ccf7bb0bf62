"""What only the chapter on what comes after deployment draws. Chapter: outlook."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from medgen_utils import monitoring, plotting
from medgen_utils.benchmark import Result
from medgen_utils.plotting import INK, MARKERS, PALETTE, QUIET

TITLES = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy"}


def lesions(rows: dict[str, tuple[Tensor, Tensor]], each: int = 4) -> Figure:
    """The first lesions of each class, a row a name: images (n, C, H, W) and their classes (n,)."""
    first = [[x[y == label][:each] for label in (0, 1)] for x, y in rows.values()]
    columns = ["benign"] * each + ["malignant"] * each
    figure = plotting.show_images([torch.cat(row) for row in first], list(rows), columns, scale=0.56)
    plt.close(figure)  # returned, so shown once
    return figure


def channel_shift(shifts: dict[str, np.ndarray]) -> Axes:
    """How far each channel's mean is from that of the training, in standard deviations; sorted by the last of them."""
    order = np.argsort(list(shifts.values())[-1])
    _, axis = plt.subplots(figsize=(5.8, 2.7))
    for i, (name, moved) in enumerate(shifts.items()):
        axis.plot(np.arange(len(order)), moved[order], MARKERS[i], color=PALETTE[i], markersize=6, label=name)
    axis.axhline(0, color=QUIET, linewidth=1)
    axis.set(xlabel="channel of the first layer, sorted", ylabel="shift of the mean (SD)", xticks=[])
    axis.legend(loc="lower right")
    return axis


def over_gains(table: pd.DataFrame) -> np.ndarray:
    """Two panels, a metric each, over the gain of the scanner, brightest first; bands are the intervals."""
    _, axes = plt.subplots(1, 2, figsize=(5.8, 3.4), sharey=True)
    for axis, (metric, title) in zip(axes, TITLES.items(), strict=True):
        part = table[table["metric"] == metric]
        bands(axis, part, "gain", "algorithm")
        axis.axhline(0.5, color=QUIET, linestyle=":", linewidth=1.4)
        axis.set(xlabel="gain of the scanner", xlim=(part["gain"].max() + 0.04, part["gain"].min() - 0.04))
        axis.set_title(title, loc="left")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 0.06), fontsize=10)
    return axes


def over_sizes(table: pd.DataFrame, unchanged: float) -> Axes:
    """AUROC over the number of images in a batch, a line a memory; ``unchanged`` is that of the untouched network."""
    _, axis = plt.subplots(figsize=(5.8, 3.0))
    sizes = sorted(set(table["size"]))
    bands(axis, table, "size", "memory")
    axis.axhline(unchanged, color=QUIET, linestyle="--", linewidth=1.4, label="not adapted")
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
    axis.set(xlabel="images in a batch", ylabel="AUROC, old scanner")
    axis.legend(loc="lower right")
    return axis


def over_shares(table: pd.DataFrame) -> Axes:
    """Share of a batch called malignant over the share that is, a line a way; bands from the least to the most."""
    _, axis = plt.subplots(figsize=(5.8, 3.4))
    spread = table.groupby(["share", "algorithm"])["value"].agg(["mean", "min", "max"]).reset_index()
    spread.columns = ["share", "algorithm", "value", "low", "high"]
    bands(axis, spread, "share", "algorithm")
    axis.plot([0, 1], [0, 1], color=QUIET, linestyle=":", linewidth=1.4)
    axis.set(xlabel="malignant in the batch", ylabel="called malignant")
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_formatter(PercentFormatter(1, 0))
    axis.legend(loc="upper left")
    return axis


def two_orders(table: pd.DataFrame) -> Axes:
    """AUROC of each way with its interval, a mark an order of the same patients."""
    axis = plotting.interval_plot(table[table["metric"] == "auroc"], "algorithm", "order")
    axis.set_xlim(0.4, 1)
    return axis


def by_place(table: pd.DataFrame) -> Axes:
    """AUROC of each training, a mark a seed, at two places side by side: columns training, tested at, seed, value."""
    return plotting.dot_plot(table, "training", "tested at", reference=None)


def false_alarms(rates: pd.DataFrame, stated: float) -> Axes:
    """The share of quiet streams in which each rule alarms, with its interval, and the share that was stated."""
    label = "share of quiet streams with an alarm"
    axis = plotting.interval_plot(rates, "rule", label=label, reference=stated, reference_label="stated")
    axis.set_xlim(0, None)
    axis.xaxis.set_major_formatter(PercentFormatter(1, 0))
    return axis


def bands(axis: Axes, table: pd.DataFrame, x: str, series: str) -> None:
    """A line with a band for each value of a column: table with x, value, low and high."""
    for i, (name, part) in enumerate(table.groupby(series, sort=False)):
        part = part.sort_values(x)
        axis.plot(part[x], part["value"], MARKERS[i] + "-", color=PALETTE[i], markersize=5, label=name)
        axis.fill_between(part[x], part["low"], part["high"], color=PALETTE[i], alpha=0.15, linewidth=0)


def differences(results: dict[str, Result], rows: Sequence[str]) -> Figure:
    """AUROC minus that of ERM, a panel a data set: a mark a domain with its interval, a line a method.

    results: of `deployment.adapted`, by the name of the data; rows: the methods, the first on top.
    """
    tables = {name: result.differences_by_domain() for name, result in results.items()}
    figure, axes = plt.subplots(len(tables), 1, figsize=(5.8, 3.5 * len(tables)), layout="constrained", sharex=True)
    for axis, (name, table) in zip(np.atleast_1d(axes), tables.items(), strict=True):
        part = table[table["method"].isin(rows)].sort_values("method", key=lambda c: c.map(list(rows).index))
        plotting.interval_plot(part, "method", "domain", reference=0, reference_label="", axis=axis,
                               label=f"{name}: AUROC minus that of ERM")  # fmt: skip
        axis.tick_params(labelbottom=True)
    plt.close(figure)
    lines = [f"{name}: {each.about.line(each.frame['seed'].nunique())}" for name, each in results.items()]
    return plotting.footer(figure, " · ".join(lines), [info for each in results.values() for info in each.about.credit])


def charts(distances: np.ndarray, of: dict[str, Callable], thresholds: dict[str, float], change: int = 12) -> Figure:
    """The charts of one stream (T,) over its months, each with its threshold and its first alarm."""
    figure, axes = plt.subplots(len(of), 1, figsize=(5.8, 3.7), sharex=True, layout="constrained")
    for axis, (name, chart) in zip(axes, of.items(), strict=True):
        values, month = chart(distances), np.arange(1, len(distances) + 1)
        axis.plot(month, values, "o-", color=PALETTE[0], markersize=4)
        axis.axhline(thresholds[name], color=PALETTE[1], linestyle=":")
        axis.axvline(change + 0.5, color=QUIET, linewidth=1)
        alarm = monitoring.first_alarm(values, thresholds[name])
        if alarm:
            axis.plot(alarm, values[alarm - 1], "D", color=PALETTE[1], markersize=8)
        axis.set_title(f"{name}: " + (f"alarm in month {alarm}" if alarm else "no alarm"), loc="left", fontsize=11)
    axes[-1].set(xlabel="month; the line marks the change", xticks=range(0, len(distances) + 1, 6))
    plt.close(figure)
    return figure


def noticed(table: pd.DataFrame) -> Figure:
    """Share of streams noticed by each month after a change: a panel a change, a line a monitor.

    table: of `deployment.watch`. The title of a panel says what the change does to the AUROC.
    """
    changes = list(dict.fromkeys(table["change"]))
    figure, axes = plt.subplots(-(-len(changes) // 2), 2, figsize=(5.8, 1.75 * -(-len(changes) // 2) + 0.6),
                                sharex=True, sharey=True, layout="constrained", squeeze=False)  # fmt: skip
    for axis, change in zip(axes.flat, changes, strict=False):
        part = table[table["change"] == change]
        for i, (name, line) in enumerate(part.groupby("monitor", sort=False)):
            months, shares = [*line["month"], line["month"].iloc[-1] + 1], [*line["value"], line["value"].iloc[-1]]
            axis.step(months, shares, where="post", color=PALETTE[i], label=name,
                      linestyle=("-", "--", "-.")[i % 3], linewidth=2)  # fmt: skip
        axis.set_title(f"{change}\nAUROC {part['harm'].iloc[0]:+z.2f}", loc="left", fontsize=10, color=INK)
        axis.set(ylim=(-0.03, 1.03), xticks=(1, 4, 8, 12))
        axis.yaxis.set_major_formatter(PercentFormatter(1, 0))
    for axis in axes.flat[len(changes) :]:
        axis.set_visible(False)
    figure.supxlabel("months after the change", fontsize=11)
    figure.supylabel("noticed by then", fontsize=11)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=1, fontsize=10)
    plt.close(figure)
    return figure
