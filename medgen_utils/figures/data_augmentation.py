"""The figures that only the chapter on data augmentation draws, and their tables. Chapter: data_augmentation."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from medgen_utils import plotting
from medgen_utils.benchmark import Result
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import auroc, metrics_by, paired_difference
from medgen_utils.training import Augmentation

STORED_AS_ONE = 53 * np.log(2)  # log odds above which 1 + exp(-log odds), the inverse of p, is 1 in 64 bits
HOME = "at home"


def page(x: Tensor, functions: dict[str, Augmentation], seed: int = 0) -> Figure:
    """Images (n, C, H, W) as recorded and under each augmentation, a row each, all with the same seed."""
    rows = {"as recorded": x}
    rows |= {name: f(x, torch.Generator().manual_seed(seed)).clamp(0, 1) for name, f in functions.items()}
    figure = plotting.show_images(list(rows.values()), list(rows), scale=0.58)
    plt.close(figure)  # returned, so shown once
    return figure


def some(dataset: DomainDataset, domains: int = 4, each: int = 2) -> Tensor:
    """A few images of each of the first ``domains``, (domains * each, C, H, W)."""
    parts = [dataset.only(name).x for name in dataset.domain_names[:domains]]
    return torch.cat([x[3 :: len(x) // each][:each] for x in parts])


def families(functions: dict[str, Augmentation], sources: Tensor, new: Tensor, new_name: str, seed: int = 0) -> Figure:
    """Mean and spread of grey values, a point an image: the sources, what each augmentation makes of them, the new."""
    generator = torch.Generator().manual_seed(seed)
    figure, axes = plt.subplots(1, len(functions), figsize=(5.8, 2.6), sharex=True, sharey=True, squeeze=False)
    for axis, (name, function) in zip(axes[0], functions.items(), strict=True):
        clouds = (("#B9BEC6", function(sources, generator)), (plotting.PALETTE[0], sources), (plotting.PALETTE[1], new))
        for colour, x in clouds:
            axis.scatter(x.mean((1, 2, 3)).numpy(), x.std((1, 2, 3)).numpy(), s=5, color=colour, linewidths=0)
        axis.set(title=name, xlim=(0, 0.8), ylim=(0, None), xticks=(0, 0.4, 0.8))
    axes[0, 0].set_ylabel("spread of an image")
    figure.supxlabel("mean grey value of an image", fontsize=11)
    for text, (across, up), colour in (("sources", (0.58, 0.9), 0), (new_name, (0.03, 0.06), 1)):
        axes[0, 0].text(across, up, text, transform=axes[0, 0].transAxes, color=plotting.PALETTE[colour],
                        ha="right" if across > 0.5 else "left", fontsize=11)  # fmt: skip
    plt.close(figure)
    return figure


# ------------------------------------------------------------------------------------------------ saturated scores


def log_odds(frame: pd.DataFrame) -> pd.Series:
    """log(p / (1 - p)) of class 1, from the two columns of a tidy frame: finite where p itself is stored as 1."""
    tiny = np.finfo(float).tiny
    return np.log(frame["prob_1"].clip(lower=tiny)) - np.log(frame["prob_0"].clip(lower=tiny))


def scores_at(result: Result, domains: Sequence[str], seed: int = 0) -> pd.DataFrame:
    """A row a domain: called malignant, stored as exactly 1, median log odds, AUROC of probability and of log odds."""
    rows = {}
    for domain, images in _images(result, domains, seed).groupby("domain", sort=False):
        y, p, score = images["y"].to_numpy(), images["prob_1"].to_numpy(), log_odds(images).to_numpy()
        rows[domain] = {
            "called malignant": (p > 0.5).mean(), "stored as exactly 1": (p == 1).mean(),
            "median log odds": np.median(score), "AUROC of probabilities": auroc(y, p),
            "AUROC of log odds": auroc(y, score),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").round(2)


def saturation(result: Result, domains: Sequence[str], seed: int = 0) -> Figure:
    """The log odds of every image, a line a domain and class, and where a stored probability becomes exactly 1."""
    frame = _images(result, domains, seed)
    figure, axis = plt.subplots(figsize=(5.8, 0.9 + 0.62 * len(domains) * 2), layout="constrained")
    names, random = [], np.random.default_rng(0)
    for domain, images in frame.groupby("domain", sort=False):
        for label, word in enumerate(("benign", "malignant")):
            score = log_odds(images[images["y"] == label])
            at = len(names) + random.uniform(-0.3, 0.3, len(score))
            axis.plot(score, at, ".", markersize=3, alpha=0.6, color=plotting.PALETTE[label])
            names.append(f"{domain}, {word}")
    plotting.name_rows(axis, names, "log odds of malignant", 0.0, "p = ½")
    axis.axvline(STORED_AS_ONE, color=plotting.QUIET, linewidth=1.4)
    axis.annotate("stored as 1", (STORED_AS_ONE, 1), (3, 2), xycoords=("data", "axes fraction"),
                  textcoords="offset points", fontsize=9.5, color=plotting.QUIET)  # fmt: skip
    plt.close(figure)
    return figure


def _images(result: Result, domains: Sequence[str], seed: int) -> pd.DataFrame:
    """The images of the baseline at the named domains, held-back ones of the training among them, one seed."""
    frame = pd.concat([part for part in (result.inside, result.frame) if part is not None])
    mine = frame[(frame["algorithm"] == result.methods[0]) & (frame["seed"] == seed)]
    return pd.concat([mine[mine["domain"] == domain] for domain in domains])


# ------------------------------------------------------------------------------------------ a family and its own gap


def gains(result: Result, matched: dict[str, str], reference: Result | None = None) -> Figure:
    """The AUROC of each method at home and at each new domain; the colour is the difference from the baseline.

    matched: domain -> the method that was made for it, framed. ``reference``: a row below, tested on other images.
    """
    table = _places(result)
    if reference is not None:
        table = pd.concat([table, _places(reference)])
    difference = table - table.loc[result.methods[0]]
    figure, axis = plt.subplots(figsize=(5.8, 1.8 + 0.42 * len(table)), layout="constrained")
    shown = axis.imshow(difference.to_numpy(float), cmap="RdBu", vmin=-0.5, vmax=0.5, aspect="auto")
    for (i, row), (j, column) in ((a, b) for a in enumerate(table.index) for b in enumerate(table.columns)):
        ink = "white" if abs(difference.loc[row, column]) > 0.33 else "black"
        axis.text(j, i, f"{table.loc[row, column]:.2f}", ha="center", va="center", fontsize=12.5, color=ink)
        if matched.get(column) == row:
            box = plt.Rectangle((j - 0.47, i - 0.45), 0.94, 0.9, fill=False, linewidth=2, edgecolor=plotting.INK)
            axis.add_patch(box)
    for line in (0.5, len(result.methods) - 0.5)[: 1 if reference is None else 2]:
        axis.axhline(line, color=plotting.PAPER, linewidth=4)
    axis.set_xticks(range(len(table.columns)), table.columns, fontsize=11)
    rows = [textwrap.fill(name, 16, break_on_hyphens=False) for name in table.index]
    axis.set_yticks(range(len(table)), rows, fontsize=11)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    figure.colorbar(
        shown, ax=axis, label=f"difference from {result.methods[0]}", orientation="horizontal", shrink=0.6, pad=0.02
    )
    plt.close(figure)
    seeds = result.frame["seed"].nunique()
    return plotting.footer(figure, f"AUROC, mean of seeds · {result.about.line(seeds)}", result.about.credit)


def _places(result: Result) -> pd.DataFrame:
    """AUROC, a row a method: at home (held-back images of the training domains), then each new domain."""
    scores = result.scores()
    away = scores.pivot(index="method", columns="unit", values="value").loc[list(result.methods)]
    away = away[list(dict.fromkeys(scores["unit"]))]
    away.insert(0, HOME, result.table()["in domain"])
    return away


def gained(result: Result, method: str) -> pd.DataFrame:
    """The difference of a method from the baseline at each domain: index domain; value, low, high (over patients)."""
    return paired_difference(result.frame, method, result.methods[0]).set_index("domain")[["value", "low", "high"]]


def both_scores(result: Result) -> pd.DataFrame:
    """AUROC (order) and balanced accuracy (decisions): algorithm, metric, value, low, high (over patients)."""
    words = {"auroc": "AUROC (order)", "balanced_accuracy": "balanced accuracy (decisions)"}
    table = metrics_by(result.frame, ("algorithm",), tuple(words))
    return table.assign(metric=table["metric"].map(words))


def order_and_decisions(result: Result) -> Figure:
    """The two scores of `both_scores` side by side, with intervals over patients."""
    axis = plotting.interval_plot(both_scores(result), "algorithm", "metric", label="score")
    plt.close(axis.figure)
    line = f"line: 95 % interval over patients · {result.about.line(result.frame['seed'].nunique())}"
    return plotting.footer(axis.figure, line, result.about.credit)


# --------------------------------------------------------------------------------------------------- how much of it


def by_strength(result: Result, strengths: dict[str, float], target: str) -> pd.DataFrame:
    """AUROC of each seed: columns strength, place ("sources" or the target), seed, auroc."""
    rows = []
    for place, frame in (("sources", result.inside), (target, result.frame[result.frame["domain"] == target])):
        mine = frame[frame["algorithm"].isin(strengths)]
        runs = mine.groupby(["algorithm", "domain", "seed"], sort=False)
        each = runs.apply(lambda images: auroc(images["y"].to_numpy(), images["prob_1"].to_numpy()))
        means = each.groupby(level=["algorithm", "seed"]).mean()
        rows += [[strengths[name], place, seed, value] for (name, seed), value in means.items()]
    return pd.DataFrame(rows, columns=["strength", "place", "seed", "auroc"]).sort_values(["place", "strength"])


def at_strength(curve: pd.DataFrame, x: Tensor, darken: Callable[..., Tensor]) -> Callable[[float], Figure]:
    """A function of the strength that draws six images under it, above the curves of `by_strength`."""

    def draw(strength: float) -> Figure:
        figure, axes = plt.subplot_mosaic("123456;cccccc;cccccc", figsize=(5.6, 3.6))
        images = darken(x[:6], torch.Generator().manual_seed(5), strength)
        for axis, image in zip([axes[k] for k in "123456"], images, strict=True):
            axis.imshow(image[0].numpy(), vmin=0, vmax=1)
            axis.axis("off")
        _draw_curves(axes["c"], curve)
        axes["c"].axvline(strength, color=plotting.QUIET, linewidth=1.2)
        return figure

    return draw


def _draw_curves(axis: Axes, curve: pd.DataFrame) -> None:
    """A point a seed and a line through the means, at the sources and at the target."""
    last = curve["strength"].max()
    places = list(dict.fromkeys(curve["place"]))
    for i, place in enumerate(sorted(places, key=lambda name: name != "sources")):
        mine, colour = curve[curve["place"] == place], plotting.PALETTE[i]
        means = mine.groupby("strength")["auroc"].mean()
        axis.plot(mine["strength"], mine["auroc"], plotting.MARKERS[i], color=colour, markersize=4, alpha=0.45)
        axis.plot(means.index, means, color=colour)
        axis.annotate(place, (last * 1.03, means.iloc[-1]), color=colour, fontsize=11, va="center")
    axis.set(xlim=(-0.2, last * 1.3), ylim=(0.45, 1.01), ylabel="AUROC")
    axis.set_xlabel("strength: gains from e to the minus this, to one")
