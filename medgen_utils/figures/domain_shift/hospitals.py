"""Real hospitals: scores inside and outside, shares counted and estimated. Chapter: domain_shift."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from medgen_utils.benchmark import evidence
from medgen_utils.plotting import PALETTE, PAPER, QUIET, name_rows

COLOURS = {"several shifts": PALETTE[4], "covariate shift": PALETTE[2], "prior shift": PALETTE[0]}
COLOURS |= {"concept shift": PALETTE[3], "no shift seen": PALETTE[6]}


def dumbbells(frame: pd.DataFrame) -> Axes:
    """A line a target of `experiments.read_targets`: AUROC inside (hollow) and outside (filled), coloured by verdict.

    Targets of a kind stand together, under its name. The thin bar is the interval of the outside score over patients.
    """
    axis = _lines(frame, "AUROC", 0.5)
    for place, row in zip(_places(frame), frame.itertuples(), strict=True):
        colour = COLOURS[row.labelled]
        axis.plot([row.outside_low, row.outside_high], [place] * 2, color=colour, linewidth=1.2)
        axis.annotate("", (row.outside, place), (row.inside, place), zorder=2,
                      arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 3, "alpha": 0.45})  # fmt: skip
        axis.plot(row.inside, place, "o", ms=7, mfc=PAPER, mec=colour, mew=1.6)
        axis.plot(row.outside, place, "o", ms=7, color=colour)
    handles = [plt.Line2D([], [], marker="o", linestyle="", mfc=PAPER, mec=QUIET, label="inside")]
    handles += [plt.Line2D([], [], marker="o", linestyle="", color=QUIET, label="at the target")]
    handles += [plt.Line2D([], [], color=COLOURS[name], linewidth=4, label=name) for name in _named(frame)]
    axis.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.42, 1.03), ncols=2, fontsize=10, handlelength=1)
    return axis


def counted_and_estimated(frame: pd.DataFrame) -> Axes:
    """The share of class 1 of each target: estimated without labels (dot, 95 % interval) and counted (cross)."""
    axis = _lines(frame, "share of malignant or atypical", None)
    at = _places(frame)
    error = [frame["estimated"] - frame["estimated_low"], frame["estimated_high"] - frame["estimated"]]
    axis.errorbar(frame["estimated"], at, xerr=np.clip(error, 0, None), fmt="o", color=PALETTE[0], ms=6,
                  elinewidth=1.6, label="estimated, 95 % interval")  # fmt: skip
    axis.plot(frame["counted"], at, "x", ms=8, mew=2.2, color=PALETTE[1], label="counted")
    axis.set_xlim(-0.03, 1.03)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.42, 1.0), ncols=2, fontsize=10, handletextpad=0.3)
    return axis


def in_the_store(problem: str) -> str:
    """What plain training reaches without each domain of a problem, from the evidence store: seeds, steps, scores.

    Beside one training of a chapter it says how much of a difference is that training's own. Says so where the store
    does not hold the problem.
    """
    try:
        result = evidence.result(problem, ["ERM"], protocol=2)
    except ValueError:
        return f"The evidence store does not hold {problem} yet."
    scores, steps = result.scores().set_index("unit")["value"], np.atleast_1d(result.about.steps)
    runs = result.frame.groupby("domain")["auroc"]
    spread = (runs.max() - runs.min()).max()
    places = ", ".join(f"{name} {value:.2f}" for name, value in scores.items())
    return (
        f"The evidence store holds {problem} with {result.frame['seed'].nunique()} seeds at {max(steps):,} steps: "
        f"{result.table().loc['ERM', 'in domain']:.2f} inside; left out, {places}; "
        f"the seeds of one target differ by {spread:.2f} at most."
    )


def _named(frame: pd.DataFrame) -> list[str]:
    return [name for name in COLOURS if name in set(frame["labelled"])]


def _places(frame: pd.DataFrame) -> np.ndarray:
    """The line of each target, with a free line before each new kind for its name."""
    new = frame["kind"].ne(frame["kind"].shift())
    return np.arange(len(frame)) + new.cumsum().to_numpy()


def _lines(frame: pd.DataFrame, label: str, reference: float | None) -> Axes:
    places = _places(frame)
    _, axis = plt.subplots(figsize=(5.4, 1.3 + 0.34 * (places[-1] + 1)))
    names = [""] * (places[-1] + 1)
    for place, target in zip(places, frame["target"], strict=True):
        names[place] = target
    name_rows(axis, names, label, reference)
    for kind, place in zip(frame["kind"], places, strict=True):
        if names[place - 1] == "":
            axis.annotate(kind, (0.02, place - 1), xycoords=("axes fraction", "data"), va="center", fontsize=10.5,
                          color=QUIET, fontstyle="italic",
                          bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1})  # fmt: skip
    return axis
