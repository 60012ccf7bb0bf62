"""One cause at a time: the images, the power of the tests, what moves, what is noticed. Chapter: domain_shift."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medgen_utils.clinic import make_clinic
from medgen_utils.hospital import Hospital
from medgen_utils.plotting import MARKERS, PALETTE, QUIET, difference_grid, footer, show_images

VERDICTS = ("no shift seen", "prior shift", "covariate shift", "several shifts", "concept shift")


def gallery(hospitals: Sequence[Hospital], seed: int = 7, n: int = 4) -> Figure:
    """n benign and n malignant patients of each hospital of the clinic, the same patients wherever that is possible."""
    images = make_clinic(hospitals, 60 * n, seed, same_patients=True)
    rows = []
    for name in images.domain_names:
        part = images.only(name)
        rows.append(part.x[torch.cat([(part.y == label).nonzero()[:n, 0] for label in (0, 1)])])
    columns = ["benign"] * n + ["malignant"] * n
    return footer(show_images(rows, images.domain_names, columns, scale=0.52), "", [images.info])


def power_curves(frame: pd.DataFrame) -> Figure:
    """Share of alarms of each test over the size of a shift, a panel a parameter.

    frame: `experiments.alarm_rates` with the columns parameter and size.
    """
    panels = list(frame.groupby("parameter", sort=False))
    figure, axes = plt.subplots(len(panels), 1, figsize=(5, 2.9 * len(panels)), sharey=True)
    for axis, (parameter, part) in zip(np.atleast_1d(axes), panels, strict=True):
        for i, (name, curve) in enumerate(part.groupby("test", sort=False)):
            style = {"color": PALETTE[i], "marker": MARKERS[i], "markersize": 4.5}
            axis.plot(curve["size"], curve["value"], label=name, **style)
            axis.fill_between(curve["size"], curve["low"], curve["high"], color=PALETTE[i], alpha=0.12, lw=0)
        axis.invert_xaxis()
        axis.axhline(0.05, color=QUIET, linestyle=":", linewidth=1.4)
        axis.set(xlabel=f"{parameter} of the new hospital", ylabel="share of alarms", ylim=(-0.02, 1.04))
    figure.legend(*np.atleast_1d(axes)[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, fontsize=10)
    return figure


def changes_grid(changes: pd.DataFrame) -> Axes:
    """Mean change of each number (columns cause, metric, value), in hundredths; full colour at the largest of all."""
    table = _means(changes, "metric")
    axis = difference_grid(_wrapped(table), (4.9, 0.7 + 0.5 * len(table)), reach=float(np.nanmax(np.abs(table))))
    return _large(axis)


def noticed_grid(noticed: pd.DataFrame) -> Axes:
    """Mean share of alarms (columns cause, test, value), in hundredths: the darker, the more."""
    table = _wrapped(_means(noticed, "test"))
    _, axis = plt.subplots(figsize=(4.9, 0.7 + 0.5 * len(table)))
    axis.imshow(table.to_numpy(float), cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (i, j), value in np.ndenumerate(table.to_numpy(float)):
        axis.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color="white" if value > 0.7 else "black")
    axis.set_xticks(range(table.shape[1]), table.columns)
    axis.set_yticks(range(len(table)), table.index)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    return _large(axis)


def verdict_dots(verdicts: pd.DataFrame) -> Axes:
    """A dot a run: the cause in truth (a line), the verdict (a column), without and with labels (hollow and filled)."""
    causes = list(dict.fromkeys(verdicts["cause"]))
    named = [verdict for verdict in VERDICTS if verdict in set(verdicts["verdict"])]
    _, axis = plt.subplots(figsize=(5.2, 1.3 + 0.62 * len(causes)))
    for row, labels, face in ((-0.17, "without", "none"), (0.17, "with", PALETTE[0])):
        part = verdicts[verdicts["labels"] == labels]
        place = part.groupby(["cause", "verdict"]).cumcount() - 2  # dots of one verdict stand side by side
        x = np.array([named.index(verdict) for verdict in part["verdict"]]) + 0.13 * place
        y = np.array([causes.index(cause) for cause in part["cause"]]) + row
        axis.plot(x, y, "o", ms=6.5, mfc=face, mec=PALETTE[0], linestyle="", label=f"{labels} labels")
    axis.set_xticks(range(len(named)), [verdict.replace(" ", "\n", 1) for verdict in named])
    axis.set(yticks=range(len(causes)), yticklabels=causes, ylim=(len(causes) - 0.45, -0.55))
    axis.set_xlim(-0.5, len(named) - 0.5)
    for line in range(1, len(causes)):
        axis.axhline(line - 0.5, color="#E3E5E8", linewidth=0.8)
    axis.tick_params(length=0)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, fontsize=10.5, handletextpad=0.2)
    return axis


def _means(frame: pd.DataFrame, columns: str) -> pd.DataFrame:
    order = list(dict.fromkeys(frame["cause"])), list(dict.fromkeys(frame[columns]))
    return frame.pivot_table(index="cause", columns=columns, values="value").loc[order[0], order[1]]


def _wrapped(table: pd.DataFrame) -> pd.DataFrame:
    return table.rename(columns=lambda name: textwrap.fill(name, 11, break_long_words=False))


def _large(axis: Axes) -> Axes:
    """Numbers and names as large as the cells allow: the figure is read on phones."""
    for text in axis.texts:
        text.set_fontsize(13)
    axis.tick_params(axis="x", labelsize=9.5)
    axis.tick_params(axis="y", labelsize=11)
    return axis
