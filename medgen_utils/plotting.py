"""The house style and the few figures that every chapter draws. Serves all chapters.

Figures have an opaque paper-white ground: no single ink reaches a contrast of 4.5 to 1 on white and on a dark page,
and notebooks are read on both.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from medgen_utils.domains import DatasetInfo

PALETTE = ("#0072B2", "#BF4E00", "#007A5A", "#A8437F", "#8A6100", "#4B4B9B", "#555555")
"""Colour-blind-safe, each at least 4.5 to 1 on the paper: after Okabe and Ito, darkened where text needs it."""
INK, QUIET, PAPER = "#22262B", "#5C6470", "#FDFDFB"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def use_house_style() -> None:
    """Set matplotlib's defaults for the book; call it once, after the imports."""
    mpl.rcParams.update(
        {
            "figure.figsize": (5.8, 3.6),
            "figure.dpi": 140,
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "axes.facecolor": PAPER,
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.labelsize": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=PALETTE),
            "font.size": 11,
            "text.color": INK,
            "xtick.color": QUIET,
            "ytick.color": QUIET,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "image.interpolation": "nearest",
            "image.cmap": "gray",
        }
    )


def footer(figure: Figure, text: str, credit: Sequence[DatasetInfo] = ()) -> Figure:
    """Write how a figure was made, and whose data it shows, in small print under it."""
    lines = [text] if text else []
    lines += [f"Data: {info.title}; {info.licence}" for info in credit]
    characters = int(17 * figure.get_figwidth())
    wrapped = [part for line in lines for part in textwrap.wrap(line, characters)]
    figure.set_figheight(figure.get_figheight() + max(0, 0.15 * (len(wrapped) - 2)))  # more lines take nothing away
    figure.supxlabel("\n".join(wrapped), fontsize=8.5, color=QUIET, x=0.01, ha="left")
    return figure


def show_images(
    rows: Sequence[Tensor], row_labels: Sequence[str], column_labels: Sequence[str] = (), scale: float = 0.75
) -> Figure:
    """A sheet of small images, one row a list entry: rows of (n, C, H, W) in [0, 1], shown as they are."""
    columns = max(len(row) for row in rows)
    size = (scale * columns + 1.4, scale * len(rows) + (0.3 if column_labels else 0.1))
    figure, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for i, (images, label) in enumerate(zip(rows, row_labels, strict=True)):
        for axis, image in zip(axes[i], images, strict=False):
            pixels = image.permute(1, 2, 0).clamp(0, 1).cpu().numpy()
            axis.imshow(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, vmin=0, vmax=1)
        axes[i, 0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=10)
    for i, (axis, label) in enumerate(zip(axes[0], column_labels, strict=False)):
        if i == 0 or label != column_labels[i - 1]:  # a run of equal labels is written once
            axis.set_title(label, fontsize=10)
    return figure


def name_rows(
    axis: Axes, names: Sequence[str], label: str, reference: float | None, reference_label: str = "chance"
) -> None:
    """Make an axis a line for each name, the first on top, and mark the reference value by a dotted line."""
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=label)
    axis.set_ylim(len(names) - 0.45, -0.55)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="#E3E5E8", linewidth=0.8)
    axis.set_axisbelow(True)
    if reference is not None:
        axis.axvline(reference, color=QUIET, linestyle=":", linewidth=1.4)
        axis.annotate(reference_label, (reference, 1), (3, 2), xycoords=("data", "axes fraction"),
                      textcoords="offset points", fontsize=9.5, color=QUIET)  # fmt: skip


def legend_above(axis: Axes, columns: int) -> None:
    """The legend above the axes, however low these are, with room for the name of the reference below it."""
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), borderaxespad=1.5, ncols=columns, fontsize=9.5,
                handletextpad=0.3)  # fmt: skip


def interval_plot(
    frame: pd.DataFrame,
    rows: str,
    colours: str | None = None,
    *,
    label: str = "AUROC",
    reference: float | None = 0.5,
    reference_label: str = "chance",
    axis: Axes | None = None,
) -> Axes:
    """Dots with intervals: one line of the plot for each value of column ``rows``, side by side for ``colours``.

    ``frame`` is what `evaluation.metrics_by` returns (columns value, low, high and the two named); order is kept.
    """
    row_names = list(dict.fromkeys(frame[rows]))
    colour_names = list(dict.fromkeys(frame[colours])) if colours else [None]
    if axis is None:
        height = 0.9 + len(row_names) * max(0.42, 0.2 * len(colour_names))
        _, axis = plt.subplots(figsize=(5.8, height + (0.3 if colours else 0)))
    spread = np.linspace(-0.28, 0.28, len(colour_names)) if len(colour_names) > 1 else [0.0]
    for i, name in enumerate(colour_names):
        part = frame if name is None else frame[frame[colours] == name]
        at = np.array([row_names.index(row) for row in part[rows]]) + spread[i]
        error = [part["value"] - part["low"], part["high"] - part["value"]]
        style = {"color": PALETTE[i % len(PALETTE)], "fmt": MARKERS[i % len(MARKERS)], "markersize": 6}
        axis.errorbar(part["value"], at, xerr=np.clip(error, 0, None), elinewidth=1.6, label=name, **style)
    name_rows(axis, row_names, label, reference, reference_label)
    if colours:
        columns = 3 if max(map(len, colour_names)) < 14 else 2  # a wider legend would squeeze the axes
        legend_above(axis, columns)
    return axis


def matrix_plot(
    frame: pd.DataFrame, rows: str, columns: str, *, label: str = "AUROC", low: float = 0.5, high: float = 1.0
) -> Axes:
    """A table of values as shaded cells, each with its interval below: what `evaluation.metrics_by` returns.

    The numbers stand in the cells, so there is no colour bar, and what it would take is left for them on a phone.
    """
    row_names, column_names = list(dict.fromkeys(frame[rows])), list(dict.fromkeys(frame[columns]))
    _, axis = plt.subplots(figsize=(1.8 + 0.98 * len(column_names), 1.2 + 0.68 * len(row_names)))
    table = frame.pivot(index=rows, columns=columns, values="value").loc[row_names, column_names]
    image = axis.imshow(table, cmap="cividis", vmin=low, vmax=high, aspect="auto")
    for record in frame.to_dict("records"):
        i, j = row_names.index(record[rows]), column_names.index(record[columns])
        red, green, blue, _ = image.cmap(image.norm(record["value"]))
        ink = "black" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "white"
        axis.text(j, i - 0.12, f"{record['value']:.2f}", ha="center", va="center", color=ink, fontsize=13)
        interval = f"{record['low']:.2f} to {record['high']:.2f}"
        axis.text(j, i + 0.25, interval, ha="center", va="center", color=ink, fontsize=9.5)
    for axes, names in ((axis.xaxis, column_names), (axis.yaxis, row_names)):
        axes.set_ticks(range(len(names)), [textwrap.fill(name, 12, break_long_words=False) for name in names])
    axis.tick_params(length=0, labelsize=10)
    axis.spines[:].set_visible(False)
    axis.set_title(f"{label} and its 95 % interval", fontsize=11)
    return axis


def hundredths(value: float) -> str:
    """A difference in hundredths with its sign; "0" where it rounds to nothing."""
    return f"{100 * value:+.0f}" if abs(value) >= 0.005 else "0"


def difference_grid(
    values: pd.DataFrame,
    size: tuple[float, float],
    framed: pd.DataFrame | None = None,
    note: Callable[[str, str], str] | None = None,
    gap_after: int | None = None,
    reach: float = 0.25,
) -> Axes:
    """Differences as coloured cells in `hundredths`, blue above and red below zero, full colour at ``reach``.

    values: a frame, its index and columns are the labels; NaN leaves a cell empty. framed: a frame of flags, cells to
    draw a frame around. note(row, column): small print under a number. gap_after: columns before a gap.
    """
    _, axis = plt.subplots(figsize=size)
    axis.imshow(values.to_numpy(float), cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
    for (i, row), (j, column) in itertools.product(enumerate(values.index), enumerate(values.columns)):
        value = values.loc[row, column]
        if np.isnan(value):
            continue
        style = {"ha": "center", "va": "center", "color": "white" if abs(value) > 0.65 * reach else "black"}
        axis.text(j, i - (0.15 if note else 0), hundredths(value), fontsize=12 if note else 9.5, **style)
        if note:
            axis.text(j, i + 0.24, note(row, column), fontsize=8.5, **style)
        if framed is not None and framed.loc[row, column]:
            axis.add_patch(plt.Rectangle((j - 0.46, i - 0.43), 0.92, 0.86, fill=False, linewidth=1.3))
    if gap_after:
        axis.axvline(gap_after - 0.5, color=PAPER, linewidth=6, zorder=0.5)
    axis.set_xticks(range(values.shape[1]), values.columns, fontsize=9.5)
    axis.set_yticks(range(len(values)), values.index, fontsize=9.5)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    return axis


def dot_plot(
    frame: pd.DataFrame,
    rows: str,
    colours: str | None = None,
    *,
    label: str = "AUROC",
    reference: float | None = 0.5,
    reference_label: str = "chance",
) -> Axes:
    """A dot for every row of ``frame`` (column value): one line of the plot for each value of column ``rows``.

    ``colours``: a column that parts the dots of a line, side by side. For repeats too few to draw an interval over.
    """
    row_names = list(dict.fromkeys(frame[rows]))
    colour_names = list(dict.fromkeys(frame[colours])) if colours else [None]
    _, axis = plt.subplots(figsize=(5.8, 1.1 + len(row_names) * max(0.42, 0.24 * len(colour_names))))
    spread = np.linspace(-0.2, 0.2, len(colour_names)) if len(colour_names) > 1 else [0.0]
    for i, name in enumerate(colour_names):
        part = frame if name is None else frame[frame[colours] == name]
        at = np.array([row_names.index(row) for row in part[rows]]) + spread[i]
        style = {"color": PALETTE[i % len(PALETTE)], "markersize": 7, "alpha": 0.85}
        axis.plot(part["value"], at, MARKERS[i % len(MARKERS)], label=name, **style)
    name_rows(axis, row_names, label, reference, reference_label)
    if colours:
        legend_above(axis, 2)
    return axis


def curve_plot(
    frame: pd.DataFrame,
    x: str,
    series: str,
    panels: str | None = None,
    *,
    value: str = "auroc",
    label: str = "AUROC",
    x_label: str = "",
    reference: float | None = 0.5,
) -> np.ndarray:
    """Every row of ``frame`` as a point and the mean of each ``series`` as a line over the values of column ``x``.

    The values of x stand at equal distances. A series with one value of x is a dashed line across: a baseline. One
    panel for each value of ``panels``; returns the axes (panels,).
    """
    names = list(dict.fromkeys(frame[series]))
    titles = list(dict.fromkeys(frame[panels])) if panels else [None]
    single = {name for name in names if frame.loc[frame[series] == name, x].nunique() == 1}
    ticks = sorted(frame.loc[~frame[series].isin(single), x].unique())
    _, axes = plt.subplots(1, len(titles), figsize=(5.8, 3.5), sharey=True, squeeze=False)
    for axis, title in zip(axes[0], titles, strict=True):
        part = frame if title is None else frame[frame[panels] == title]
        for i, name in enumerate(names):
            mine = part[part[series] == name]
            style = {"color": PALETTE[i % len(PALETTE)]}
            if name in single:
                axis.axhline(mine[value].mean(), linestyle="--", linewidth=1.6, label=name, **style)
                continue
            at = [ticks.index(number) for number in mine[x]]
            axis.plot(at, mine[value], MARKERS[i % len(MARKERS)], markersize=4, alpha=0.45, **style)
            means = mine.groupby(x)[value].mean()
            axis.plot([ticks.index(number) for number in means.index], means, label=name, **style)
        axis.set(xticks=range(len(ticks)), xticklabels=[f"{number:g}" for number in ticks], xlabel=x_label)
        axis.grid(axis="y", color="#E3E5E8", linewidth=0.8)
        axis.set_axisbelow(True)
        if reference is not None:
            axis.axhline(reference, color=QUIET, linestyle=":", linewidth=1.4)
        axis.set_title(title or "", fontsize=10, loc="left")
    axes[0, 0].set_ylabel(label)
    figure = axes[0, 0].figure
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=9.5, handlelength=1.4)
    return axes[0]
