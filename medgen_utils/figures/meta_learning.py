"""The figures that only the chapter on meta-learning draws, and their tables. Chapter: meta_learning."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from medgen_utils import plotting
from medgen_utils.benchmark import Result
from medgen_utils.evaluation import auroc
from medgen_utils.figures.data_augmentation import log_odds
from medgen_utils.meta_learning import global_class_alignment, two_weights
from medgen_utils.meta_learning.directions import CHEAP, LOOKED, OTHER

BLUE, ORANGE, GREEN, VIOLET = plotting.PALETTE[:4]
Points = two_weights.Points


# ------------------------------------------------------------------------------------------- two weights, on paper


def _grid() -> Tensor:
    """Weights of contour and marker, (61, 69, 2)."""
    axes = torch.linspace(-0.2, 3.2, 69), torch.linspace(-0.6, 2.4, 61)
    return torch.stack(torch.meshgrid(*axes, indexing="xy"), -1).double()


def _landscape(axis: Axes, values: Tensor, levels: int) -> None:
    """Contour lines over the two weights."""
    axis.contour(*_grid().unbind(-1), values, levels=levels, colors="#C4C8CE", linewidths=0.9)
    axis.set(xlabel="weight of the contour", ylabel="weight of the marker")


def _arrow(axis: Axes, start: Tensor, step: Tensor, colour: str, text: str, shift: tuple[int, int] = (5, -4)) -> None:
    """An arrow from start to start + step with a word at its end."""
    end = (start + step).tolist()
    axis.annotate("", end, start.tolist(), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
    axis.annotate(text, end, shift, textcoords="offset points", color=colour, fontsize=11)


def one_step(w: Tensor, a: Points, b: Points, alpha: float) -> Figure:
    """From w (2,): the trial step at hospital a, what b asks for at its end, and the steps of ERM and MLDG."""
    figure, axis = plt.subplots(figsize=(5.8, 4.4))
    grid, at_a = _grid(), two_weights.gradient(w, a)
    ahead = w - alpha * at_a
    at_b = two_weights.gradient(ahead, b)
    exact = two_weights.rehearsed(w, a, b, alpha)[1]
    _landscape(axis, (two_weights.risk(grid, a) + two_weights.risk(grid, b)) / 2, 60)
    _arrow(axis, w, -alpha * at_a, BLUE, "trial step: A", (-84, 2))
    _arrow(axis, ahead, -alpha * at_b, ORANGE, "what B asks for", (-28, -15))
    steps = {"ERM": at_a + two_weights.gradient(w, b), "MLDG, exact": exact, "MLDG, first order": at_a + at_b}
    for (name, gradient), colour in zip(steps.items(), (plotting.QUIET, GREEN, VIOLET), strict=True):
        _arrow(axis, w, -alpha / 2 * gradient, colour, name)
    axis.plot(*w, "o", color=plotting.INK)
    axis.set(xlim=(0.85, 1.62), ylim=(0.3, 1.4))
    plt.close(figure)  # returned, so shown once
    return figure


def agreement(a: Points, b: Points, points: dict[str, Tensor]) -> Figure:
    """The cosine of the gradients of two hospitals over the two weights, where each pulls, and named points (2,)."""
    figure, axis = plt.subplots(figsize=(5.8, 4.6))
    grid = _grid()
    cosine = F.cosine_similarity(two_weights.gradient(grid, a), two_weights.gradient(grid, b), dim=-1)
    ground = axis.contourf(*grid.unbind(-1), cosine, np.linspace(-1, 1, 9), cmap="PuOr", alpha=0.55)
    _landscape(axis, (two_weights.risk(grid, a) + two_weights.risk(grid, b)) / 2, 8)
    for hospital, colour in ((a, BLUE), (b, ORANGE)):
        at = grid[6::12, 6::14].reshape(-1, 2)
        pull = -F.normalize(two_weights.gradient(at, hospital), dim=-1)
        axis.quiver(*at.T, *pull.T, color=colour, scale=17, width=0.005)
    for (name, point), shift in zip(points.items(), ((-32, -14), (7, -12)), strict=False):
        axis.plot(*point, "o", color=plotting.INK, markersize=7)
        axis.annotate(name, point.tolist(), shift, textcoords="offset points", fontweight="bold", fontsize=11)
    figure.colorbar(ground, ax=axis, label="cosine of the two gradients", ticks=(-1, -0.5, 0, 0.5, 1), shrink=0.8)
    plt.close(figure)
    return figure


def resting_points(a: Points, b: Points, steps: Sequence[float]) -> pd.DataFrame:
    """Where training rests, "(contour, marker)": a row a trial step; exact, first order, first order at twice it."""
    versions = {"exact": (1, False), "first order": (1, True), "first order, twice the step": (2, True)}
    rows = {
        step: {
            name: "({:.2f}, {:.2f})".format(*two_weights.resting_point(a, b, times * step, cheap))
            for name, (times, cheap) in versions.items()
        }
        for step in steps
    }
    return pd.DataFrame(rows).T.rename_axis("trial step")


def at_trial_step(a: Points, b: Points, unseen: Points) -> Callable[[float], Figure]:
    """A function of the trial step that draws the rehearsed objective, where it rests, and its AUROC at ``unseen``."""
    still, grid = two_weights.resting_point(a, b, 0.0), _grid()

    def draw(step: float) -> Figure:
        point = two_weights.resting_point(a, b, step)
        figure, axis = plt.subplots(figsize=(5.2, 3.3))
        _landscape(axis, two_weights.rehearsed_risk(grid, a, b, step), 7)
        for w, text, colour, side in ((still, "ERM", plotting.QUIET, "right"), (point, "MLDG", VIOLET, "left")):
            axis.plot(*w, "o", color=colour, markersize=8)
            shift = (-8 if side == "right" else 8, 5)
            axis.annotate(text, w.tolist(), shift, textcoords="offset points", color=colour, ha=side)
        there, before = (two_weights.auroc_at(w, unseen) for w in (point, still))
        axis.set_title(f"unseen hospital: AUROC {there:.2f} (ERM {before:.2f})", fontsize=11, loc="left")
        return figure

    return draw


# ------------------------------------------------------------------------------------------ how far to look ahead


def turned(frame: pd.DataFrame) -> Figure:
    """What `directions.turning` returns: a point a draw of images, a line through the medians, the yardstick."""
    figure, axis = plt.subplots(figsize=(5.8, 3.4))
    steps = sorted(frame["inner_step"].dropna().unique())
    for pair, colour, marker in ((LOOKED, BLUE, "o"), (CHEAP, VIOLET, "s")):
        mine = frame[frame["pair"] == pair]
        at = np.array([steps.index(step) for step in mine["inner_step"]])
        axis.plot(at, mine["cosine"], marker, color=colour, markersize=4, alpha=0.45)
        axis.plot(range(len(steps)), mine.groupby("inner_step")["cosine"].median(), color=colour, label=pair)
    yard = frame.loc[frame["pair"] == OTHER, "cosine"].median()
    axis.axhline(yard, color=plotting.QUIET, linestyle="--", linewidth=1.6, label=OTHER)
    axis.axhline(0, color=plotting.QUIET, linestyle=":", linewidth=1.2)
    axis.set(xticks=range(len(steps)), xticklabels=[f"{step:g}" for step in steps], ylim=(-1.05, 1.05))
    axis.set(xlabel="inner step", ylabel="cosine of two directions")
    figure.legend(loc="outside upper left", ncols=1, fontsize=10.5, handlelength=1.4)
    plt.close(figure)
    return figure


def left_out_by_step(result: Result, inner_steps: dict[str, float]) -> pd.DataFrame:
    """AUROC where a hospital was left out, a row a run: columns place, method, inner_step (NaN: no rehearsal), auroc.

    inner_steps: method of the result -> its inner step; a method that is not among them does not rehearse.
    """
    runs = result.frame.groupby(["domain", "algorithm", "seed"], sort=False)[["y", "prob_1"]]
    each = runs.apply(lambda images: auroc(images["y"].to_numpy(), images["prob_1"].to_numpy())).rename("auroc")
    table = each.reset_index().rename(columns={"domain": "place", "algorithm": "method"})
    return table.assign(inner_step=table["method"].map(inner_steps))


def by_inner_step(result: Result, inner_steps: dict[str, float], chosen: float) -> Figure:
    """`left_out_by_step` over the inner step, a point a run and a line through the means; ERM at the left."""
    frame = left_out_by_step(result, inner_steps)
    figure, axis = plt.subplots(figsize=(5.8, 3.6), layout="constrained")
    place = {step: i for i, step in enumerate(sorted(set(inner_steps.values())))}
    at = frame["inner_step"].map(place).fillna(-1.2)
    for k, (name, mine) in enumerate(frame.groupby("place", sort=False)):
        axis.plot(at[mine.index] + 0.08 * (k - 1), mine["auroc"], plotting.MARKERS[k], color=plotting.PALETTE[k],
                  markersize=6.5, alpha=0.9, label=name)  # fmt: skip
    means = frame.groupby(at)["auroc"].mean()
    axis.plot(means.index[1:], means.iloc[1:], color=plotting.INK, label="mean")
    axis.plot([-1.45, -0.95], [means.iloc[0]] * 2, color=plotting.INK)
    axis.axvspan(place[chosen] - 0.35, place[chosen] + 0.35, color="#E9EBEE", zorder=0)
    axis.set_xticks([-1.2, *place.values()], ["ERM", *(f"{step:g}" for step in place)])
    axis.set(xlabel="inner step of MLDG (grey: chosen)", ylabel="AUROC where left out")
    figure.legend(loc="outside upper left", ncols=4, fontsize=10.5, handletextpad=0.3, columnspacing=1)
    plt.close(figure)
    line = f"a point a run · {result.about.line(frame['seed'].nunique())}"
    return plotting.footer(figure, line, result.about.credit)


def order_kept(result: Result, one: str, other: str) -> float:
    """Rank correlation of the scores that two methods give the same tested patients; mean over seeds."""
    scores = _scores_of_patients(result)
    return float(np.mean([scores[one, seed].corr(scores[other, seed], "spearman") for seed in _seeds(result)]))


def order_of_seeds(result: Result, method: str) -> float:
    """Rank correlation of the scores that two seeds of a method give the same patients; mean over pairs of seeds."""
    scores = _scores_of_patients(result)
    pairs = itertools.combinations(_seeds(result), 2)
    return float(np.mean([scores[method, a].corr(scores[method, b], "spearman") for a, b in pairs]))


def _seeds(result: Result) -> list[int]:
    return sorted(result.frame["seed"].unique())


def _scores_of_patients(result: Result) -> pd.DataFrame:
    """Log odds, a row a patient; columns (method, seed)."""
    frame = result.frame.assign(score=log_odds(result.frame))
    return frame.pivot(index=["domain", "index"], columns=["algorithm", "seed"], values="score")


def duels(result: Result, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Pairs of methods of a result, a row a pair "beside that: this": difference with its interval.

    The interval is over patients and seeds; ``better``: seeds at which the first of the pair is ahead.
    """
    rows = {}
    for one, other in pairs:
        row = result.only(other, one).differences().iloc[0]
        ahead = f"{row['better']} of {row['units']} seeds"
        rows[f"beside {other}: {one}"] = [row["value"], row["low"], row["high"], ahead]
    columns = ["difference", "low", "high", "better"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.round(3)


def by_number(results: dict[int, Result]) -> Figure:
    """Differences from plain training, a point a seed; a line of the plot for each number of source hospitals."""
    frame = differences_by_number(results).rename(columns={"difference": "value"})
    label = "AUROC minus that of ERM"
    axis = plotting.dot_plot(frame, "sources", "method", label=label, reference=0, reference_label="no difference")
    axis.locator_params(axis="x", nbins=5)
    plt.close(axis.figure)
    first = next(iter(results.values()))
    return plotting.footer(
        axis.figure, f"a point a seed · {first.about.line(frame['seed'].nunique())}", first.about.credit
    )


def differences_by_number(results: dict[int, Result]) -> pd.DataFrame:
    """Columns sources ("2 hospitals"), method, seed, difference from the baseline of the result."""
    rows = []
    for number, result in results.items():
        table = result.scores().pivot(index="unit", columns="method", values="value")
        for method in result.methods[1:]:
            each = table[method] - table[result.methods[0]]
            rows += [[f"{number} hospitals", method, seed, value] for seed, value in each.items()]
    return pd.DataFrame(rows, columns=["sources", "method", "seed", "difference"])


# ------------------------------------------------------------------------------------------ confusions of classes


def class_distances(result: Result, temperature: float = 2.0) -> pd.DataFrame:
    """How far hospitals confuse the classes apart, a row a method: means over seeds.

    Columns: "among the sources" (`global_class_alignment`, mean over pairs of training hospitals, on their held-back
    patients), "to the new hospital" (mean over the sources) and "AUROC there".
    """
    rows = []
    for (method, seed), new in result.frame.groupby(["algorithm", "seed"], sort=False):
        mine = result.inside[(result.inside["algorithm"] == method) & (result.inside["seed"] == seed)]
        sources = [_logits(images) for _, images in mine.groupby("domain", sort=False)]
        pairs = itertools.combinations(sources, 2)
        among = [global_class_alignment(*a, *b, temperature).item() for a, b in pairs]
        away = [global_class_alignment(*a, *_logits(new), temperature).item() for a in sources]
        there = auroc(new["y"].to_numpy(), new["prob_1"].to_numpy())
        rows.append([method, np.mean(among), np.mean(away), there])
    columns = ["method", "among the sources", "to the new hospital", "AUROC there"]
    return pd.DataFrame(rows, columns=columns).groupby("method", sort=False).mean().loc[list(result.methods)]


def _logits(images: pd.DataFrame) -> tuple[Tensor, Tensor]:
    """Logits (n, 2), up to a constant an image, and labels (n,): the divergence does not see the constant."""
    p = images[["prob_0", "prob_1"]].clip(lower=np.finfo(float).tiny)
    return torch.from_numpy(np.log(p.to_numpy())), torch.tensor(images["y"].to_numpy())


def agreement_and_score(table: pd.DataFrame) -> Figure:
    """`class_distances` as points: the distance to the new hospital against the AUROC there, and among the sources."""
    figure, axes = plt.subplots(1, 2, figsize=(5.8, 3.0), sharey=True, layout="constrained")
    for axis, column in zip(axes, table.columns[:2], strict=True):
        for k, (name, row) in enumerate(table.iterrows()):
            axis.plot(row[column], row["AUROC there"], plotting.MARKERS[k], color=plotting.PALETTE[k], markersize=9,
                      label=name)  # fmt: skip
        axis.set(xlabel=f"distance {column}", xlim=(0, None))
        axis.locator_params(axis="x", nbins=4)
        axis.margins(x=0.15, y=0.2)
    axes[0].set_ylabel("AUROC at the new hospital")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=10.5, handletextpad=0.3)
    plt.close(figure)
    return figure
