"""Where the disease is rarer and nothing else differs: what moves, what is estimated. Chapter: domain_shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medgen_utils.clinic import make_clinic
from medgen_utils.hospital import Hospital
from medgen_utils.plotting import INK, MARKERS, PALETTE, QUIET
from medgen_utils.shifts import estimate_label_shift, outputs_of, prior_correction
from medgen_utils.shifts.experiments import hospital_numbers
from medgen_utils.training import ERM

UPPER = ("AUROC", "sensitivity", "specificity", "right alarms")
LOWER = {"calibration error": "as at home", "corrected error": "corrected"}


def what_moves(frame: pd.DataFrame) -> Figure:
    """What `experiments.over_prevalences` returns: ranking and threshold above, calibration below."""
    figure, axes = plt.subplots(2, 1, figsize=(5, 5), height_ratios=(3, 2), sharex=True)
    for i, name in enumerate(UPPER):
        _curve(axes[0], frame, name, name, i)
    for i, (name, words) in enumerate(LOWER.items(), start=4):
        _curve(axes[1], frame, name, words, i)
    axes[0].set(ylim=(0, 1.02), ylabel="share")
    axes[1].set(ylim=(0, None), ylabel="calibration error", xlabel="share of malignant cases in truth")
    for axis in axes:
        axis.legend(fontsize=10, ncols=2, loc="lower left" if axis is axes[0] else "upper left")
        axis.grid(axis="y", color="#E3E5E8", linewidth=0.8)
    return figure


def _curve(axis: Axes, frame: pd.DataFrame, name: str, words: str, i: int) -> None:
    order = list(dict.fromkeys(frame["prevalence"]))
    at = [order.index(value) for value in frame["prevalence"]]
    style = {"color": PALETTE[i], "marker": MARKERS[i]}
    axis.plot(at, frame[name], linestyle="", markersize=3, alpha=0.3, **style)
    axis.plot(range(len(order)), frame.groupby("prevalence")[name].mean()[order], markersize=5.5, label=words, **style)
    axis.set_xticks(range(len(order)), [f"{value:g}" for value in order])


def estimates(frame: pd.DataFrame) -> Axes:
    """Each estimate of the prevalence as a dot, beside the truth as a bar."""
    order = list(dict.fromkeys(frame["prevalence"]))
    _, axis = plt.subplots(figsize=(5, 3.1))
    random = np.random.default_rng(0)
    for i, prevalence in enumerate(order):
        values = frame.loc[frame["prevalence"] == prevalence, "estimated"]
        at = i + random.uniform(-0.2, 0.2, len(values))
        axis.plot(at, values, "o", ms=4.5, alpha=0.6, mew=0, color=PALETTE[0], label="estimated" if i == 0 else None)
        axis.plot([i - 0.33, i + 0.33], [prevalence] * 2, color=PALETTE[1], label="in truth" if i == 0 else None)
    axis.set_xticks(range(len(order)), [f"{value:g}" for value in order])
    axis.set(xlabel="share of malignant cases in truth", ylabel="estimated share", ylim=(-0.01, None))
    axis.legend(fontsize=10.5)
    return axis


def prevalence_picture(model: ERM, home: Hospital, prevalence: float, n: int = 2000) -> Figure:
    """Scores of both classes at this prevalence, and the alarms before and after the correction, of 1,000 patients."""
    known = outputs_of(model, make_clinic([home], n, seed=21))
    there = outputs_of(model, make_clinic([replace(home, prevalence=prevalence)], n, seed=23))
    share = estimate_label_shift(known.y, known.prob.argmax(1), there.prob.argmax(1), 0, n_resamples=0).prevalence
    numbers = hospital_numbers(there.y, there.prob)
    figure, axes = plt.subplots(2, 1, figsize=(4.8, 4.4), height_ratios=(3, 2))
    for label, name in enumerate(("benign", "malignant")):
        score = there.prob[there.y == label, 1]
        look = {"color": PALETTE[label], "alpha": 0.75, "label": name, "weights": np.full(len(score), 1000 / n)}
        axes[0].hist(score, bins=25, range=(0, 1), **look)
    axes[0].axvline(0.5, color=INK, linestyle="--", linewidth=1)
    axes[0].set(xlabel="probability of malignant, from home", ylabel="of 1,000 patients", ylim=(0, 850))
    axes[0].set_title(f"AUROC {numbers['AUROC']:.2f}   right alarms {numbers['right alarms']:.0%}")
    axes[0].legend(loc="upper right")
    for row, prob in enumerate((there.prob, prior_correction(there.prob, [0.5, 0.5], share))):
        _alarms(axes[1], row, there.y, prob)
    axes[1].set(yticks=[0, 1], yticklabels=["from home", "corrected"], ylim=(1.5, -0.5))
    axes[1].set(xlabel="alarms in 1,000 patients", xlim=(0, 800))
    return figure


def _alarms(axis: Axes, row: int, y: np.ndarray, prob: np.ndarray) -> None:
    called = prob[:, 1] > 0.5
    false, right = (1000 * (called & (y == label)).mean() for label in (0, 1))
    axis.barh(row, right, color=PALETTE[1])
    axis.barh(row, false, left=right, color=PALETTE[0])
    words = f"{right:.0f} right, {false:.0f} false"
    axis.text(right + false + 8, row, words, va="center", fontsize=10.5, color=QUIET)
