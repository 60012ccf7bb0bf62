"""The figures that only the chapter on feature alignment draws, and their tables. Chapter: feature_alignment."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark import Result
from medgen_utils.benchmark.inside import Look
from medgen_utils.benchmark.result import score_of
from medgen_utils.evaluation import probabilities

CLASSES = ("benign", "malignant")


def by_seed(result: Result) -> pd.DataFrame:
    """The AUROC of each run at each domain: columns method, domain, seed, value."""
    runs = result.frame.groupby(["algorithm", "domain", "seed"], sort=False)
    rows = [[*key, score_of("auroc", images["y"].to_numpy(), probabilities(images))] for key, images in runs]
    return pd.DataFrame(rows, columns=["method", "domain", "seed", "value"])


def at_each(result: Result, domains: Sequence[str] | None = None, methods: Sequence[str] | None = None) -> Figure:
    """A line a method: a point a seed at each hospital, side by side; ``domains`` and ``methods`` pick some."""
    table = by_seed(result)
    table = table[table["domain"].isin(domains or list(table["domain"]))]
    table = table[table["method"].isin(methods or result.methods)]
    axis = plotting.dot_plot(table, "method", "domain")
    plt.close(axis.figure)  # returned, so shown once
    line = f"a point a seed · {result.about.line(result.frame['seed'].nunique())}"
    return plotting.footer(axis.figure, line, result.about.credit)


def shares_called(calls: pd.DataFrame) -> Figure:
    """A line a method: the share called malignant at each hospital, a point a seed, and the true shares as lines.

    calls: of `benchmark.look_inside`.
    """
    axis = plotting.dot_plot(
        calls.rename(columns={"called": "value"}), "method", "domain", label="share called malignant", reference=None
    )
    for k, (_, part) in enumerate(calls.groupby("domain", sort=False)):
        axis.axvline(part["prevalence"].mean(), color=plotting.PALETTE[k], linestyle=":", linewidth=1.6)
    axis.set_xlim(0, 1)
    plt.close(axis.figure)
    return axis.figure


# ---------------------------------------------------------------------------------------------- features as clouds


def components(z: np.ndarray) -> np.ndarray:
    """The first two principal components (n, 2) of features (n, d), each feature standardised before."""
    z = (z - z.mean(0)) / (z.std(0) + 1e-6)
    left, size, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    return left[:, :2] * size[:2]


def clouds(looks: Sequence[Look]) -> Figure:
    """The features of each network in two dimensions, a column a network: by hospital above, by class below."""
    figure, axes = plt.subplots(2, len(looks), figsize=(5.8, 4.6), squeeze=False, layout="constrained")
    for pair, look in zip(axes.T, looks, strict=True):
        _two_clouds(pair, look)
        pair[0].set_title(textwrap.fill(look.method, 15), loc="center", fontsize=11)
    for row, name in zip(axes, ("by hospital", "by class"), strict=True):
        row[0].set_ylabel(name)
        handles, labels = row[0].get_legend_handles_labels()
        row[-1].legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.01), fontsize=9, ncols=2,
                       handletextpad=0.1, columnspacing=0.8, borderpad=0.1)  # fmt: skip
    plt.close(figure)
    return figure


def _two_clouds(axes: Sequence[Axes], look: Look) -> None:
    points, places = components(look.z), list(dict.fromkeys(look.domain))
    hospitals = np.array([places.index(name) for name in look.domain])
    for axis, labels, names, colours in (
        (axes[0], hospitals, [name.removeprefix("hospital ") for name in places], plotting.PALETTE),
        (axes[1], look.y, CLASSES, plotting.PALETTE[3:]),
    ):
        for k, name in enumerate(names):
            style = {"s": 8, "color": colours[k], "alpha": 0.6, "marker": plotting.MARKERS[k], "linewidths": 0}
            axis.scatter(*points[labels == k].T, label=name, **style)
        axis.set(xticks=[], yticks=[])


# ------------------------------------------------------------------------------------------------ rules of selection


def three_rules(picked: pd.DataFrame, level: float, level_label: str) -> Figure:
    """What each rule chose of each family, a point a seed and a bar at the mean; a dotted line at ``level``.

    picked: what `benchmark.chosen_by_rules` returns.
    """
    names = {rule: textwrap.fill(rule if rule != "oracle" else "oracle (cheating)", 18) for rule in picked["rule"]}
    rows = list(dict.fromkeys(names.values()))
    figure, axis = plt.subplots(figsize=(5.8, 3.2), layout="constrained")
    for k, (family, part) in enumerate(picked.groupby("family", sort=False)):
        at = part["rule"].map(lambda rule: rows.index(names[rule])) + 0.26 * (k - 0.5)
        style = {"marker": plotting.MARKERS[k], "color": plotting.PALETTE[k]}
        axis.scatter(part["auroc"], at, s=30, alpha=0.7, label=family, **style)
        for place, mean in part.groupby(at)["auroc"].mean().items():
            axis.vlines(mean, place - 0.12, place + 0.12, color=style["color"], linewidth=3)
    plotting.name_rows(axis, rows, "AUROC at the new hospital (true labels)", level, level_label)
    axis.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.08), ncols=2, fontsize=9.5, handletextpad=0.3)
    plt.close(figure)
    return figure


# ----------------------------------------------------------------------------------------------- how much of it helps


def more_alignment(swept: pd.DataFrame, weights: dict[str, float], real: pd.DataFrame) -> Figure:
    """The probe's accuracy against the AUROC: over weights of a penalty on the clinic, from ERM to CORAL on real sites.

    swept, real: what `Inside.table` returns; weights: method -> weight, of those in ``swept``.
    """
    figure, axes = plt.subplots(2, 1, figsize=(5.4, 6.2), layout="constrained")
    means = swept.assign(weight=swept["method"].map(weights)).groupby(["domain", "weight"], sort=False)
    means = means[["probe", "auroc"]].mean()
    for k, domain in enumerate(dict.fromkeys(swept["domain"])):
        line = means.loc[domain].sort_index()
        style = {"marker": plotting.MARKERS[k], "color": plotting.PALETTE[k]}
        axes[0].plot(line["probe"], line["auroc"], label=domain, **style)
        for weight in (line.index[0], line.index[-1]):
            place = line.loc[weight, ["probe", "auroc"]]
            axes[0].annotate(f"{weight:g}", place, (3, 5), textcoords="offset points", fontsize=10.5)
    table = real.groupby(["domain", "method"], sort=False)[["probe", "auroc"]].mean()
    for k, domain in enumerate(dict.fromkeys(real["domain"])):
        start, end = table.loc[domain].to_numpy()
        style = {"marker": plotting.MARKERS[k], "color": plotting.PALETTE[k]}
        axes[1].scatter(*start, s=34, label=domain, **style)
        arrow = {"arrowstyle": "-|>", "color": style["color"], "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
        axes[1].annotate("", end, start, arrowprops=arrow)
        axes[1].scatter(*end, s=0)
    for axis, letters in zip(axes, ("the clinic, by weight", "real sites, from ERM to CORAL"), strict=True):
        axis.set(ylabel="AUROC where it never was", title=letters)
        axis.legend(fontsize=9.5, loc="upper left", bbox_to_anchor=(1.0, 1.0), handletextpad=0.3)
    axes[1].set_xlabel("accuracy of the probe for the hospital (left: better hidden)")
    plt.close(figure)
    return figure


def at_weight(looks: Sequence[Look], weights: dict[str, float]) -> Callable[[float], Figure]:
    """A function of the weight that draws the features of the first network trained with it, and the mean AUROCs.

    weights: method -> weight; looks of other methods are left out.
    """
    of = {w: [look for look in looks if look.method == name] for name, w in weights.items()}
    first = {weight: mine[0] for weight, mine in of.items()}
    scores = {weight: pd.DataFrame([look.auroc for look in mine]).mean() for weight, mine in of.items()}

    def draw(weight: float) -> Figure:
        figure, axes = plt.subplots(1, 3, figsize=(5.8, 2.6), width_ratios=(1, 1, 0.8), layout="constrained")
        _two_clouds(axes[:2], first[weight])
        names = [textwrap.fill(name, 9) for name in scores[weight].index]
        bars = axes[2].bar(names, scores[weight], color=plotting.PALETTE[4:6], width=0.6)
        axes[2].bar_label(bars, fmt="%.2f", fontsize=10)
        axes[2].set_ylim(0.45, 1.0)
        axes[2].tick_params(axis="x", labelsize=9)
        for axis, title in zip(axes, ("by hospital", "by class", "AUROC"), strict=True):
            axis.set_title(title, fontsize=11)
        return figure

    return draw
