"""The figures that only the chapter on evaluation protocols draws, and their tables. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark.result import About
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import metrics_by
from medgen_utils.evaluation.power import Spread, hospitals_needed, power
from medgen_utils.figures.drawings import Schematic, schematic

GOAL = 0.8  # a chance that protocols usually ask for


def who_may_look() -> Schematic:
    """Which data the training, the choice and the test may look at."""
    return schematic("who-may-look")


def sheet(dataset: DomainDataset, each: int = 3) -> Figure:
    """The first malignant and benign images of each domain, a row a domain."""
    rows = []
    for name in dataset.domain_names:
        part = dataset.only(name)
        rows.append(part.x[torch.cat([(part.y == k).nonzero()[:each, 0] for k in (1, 0)])])
    figure = plotting.show_images(rows, dataset.domain_names, ["malignant"] * each + ["benign"] * each, scale=0.62)
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, "", [dataset.info])


def false_wins(alarms: pd.DataFrame, about: About, n_runs: int) -> Figure:
    """What `benchmark.duels.deal` found: a panel a pool, a line a habit, over the seeds of each side."""
    pools = list(dict.fromkeys(alarms["pool"]))
    figure, axes = plt.subplots(len(pools), 1, figsize=(5.8, 1.9 * len(pools)), sharex=True, sharey=True, squeeze=False)
    for axis, name in zip(axes[:, 0], pools, strict=True):
        lines = alarms[alarms["pool"] == name].groupby("habit", sort=False)
        for i, (habit, line) in enumerate(lines):
            axis.plot(line["seeds"], line["share"], plotting.MARKERS[i] + "-", label=habit)
        axis.axhline(0.05, color=plotting.QUIET, linestyle=":", linewidth=1.4)
        axis.set(title=name, ylabel="called a win", xticks=sorted(set(alarms["seeds"])), ylim=(-0.03, 1))
    axes[0, 0].legend(fontsize=9, ncols=3, loc="lower left", bbox_to_anchor=(-0.1, 1.16), columnspacing=1)
    axes[-1, 0].set_xlabel("seeds for each side")
    plt.close(figure)  # returned, so shown once
    return plotting.footer(figure, f"{n_runs} runs a pool · dotted: one in twenty · {about.line(n_runs)}", about.credit)


def promised(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What each protocol reports: protocol, value, low, high; the mean over the domains it tested, over patients."""
    rows = pd.concat([frame.assign(protocol=name) for name, frame in frames.items()])
    return metrics_by(rows, by=("protocol",))


def promises(table: pd.DataFrame, about: About, n_seeds: int) -> Figure:
    """The rows of `promised` as points with intervals."""
    axis = plotting.interval_plot(table, "protocol", label="AUROC, mean of the hospitals tested")
    plt.close(axis.figure)  # returned, so shown once
    return plotting.footer(axis.figure, f"95 % interval over patients · {about.line(n_seeds)}", about.credit)


def lotteries(parts: Mapping[str, float], about: About, n_seeds: int) -> Figure:
    """Standard deviations of a score as bars with their values, by what is drawn again."""
    figure, axis = plt.subplots(figsize=(5.8, 0.9 + 0.45 * len(parts)))
    bars = axis.barh(list(parts), list(parts.values()), height=0.6)
    axis.bar_label(bars, fmt="%.3f", padding=3)
    axis.set(xlabel="standard deviation of the AUROC", xlim=(0, 1.2 * max(parts.values())))
    axis.invert_yaxis()
    plt.close(figure)
    return plotting.footer(figure, about.line(n_seeds), about.credit)


def needed(
    spread: Spread, sites: Sequence[float], patients: Sequence[int], effect: float, seeds: int = 3, **options: float
) -> pd.DataFrame:
    """Hospitals for a chance of four in five to see a gap: a row a number of patients at each, a column a spread.

    sites: standard deviations between hospitals to plan with; more than 200 hospitals are "> 200".
    """

    def fewest(n: int, site: float) -> int | str:
        found = hospitals_needed("gap", effect, n, seeds, spread._replace(site=site), chance=GOAL, **options)
        return "> 200" if found is None else found

    columns = {f"{site:.3f}": [fewest(n, site) for n in patients] for site in sites}
    table = pd.DataFrame(columns, index=pd.Index(patients, name="patients at each"))
    return table.rename_axis(columns="hospitals differ by")


def chances(
    axis: Axes, question: str, spread: Spread, effect: float, patients: Sequence[int], seeds: int, most: int = 30
) -> None:
    """The chance to see a difference over the number of hospitals, a line for each number of patients."""
    counts = range(2, most + 1)
    for k, n in enumerate(patients):
        line = [power(question, effect, h, n, seeds, spread) for h in counts]
        axis.plot(counts, line, color=plotting.PALETTE[k], label=f"{n:,} patients each")
    axis.axhline(GOAL, color=plotting.QUIET, linestyle=":")
    axis.set(xlabel="hospitals", ylim=(0, 1.02))


def study_sizes(spread: Spread, effect: float, patients: Sequence[int], seeds: int = 3) -> Figure:
    """`chances` to see a gap, on a figure of their own."""
    figure, axis = plt.subplots(figsize=(5.8, 3.4))
    chances(axis, "gap", spread, effect, patients, seeds)
    axis.set(ylabel=f"chance to see a gap of {effect:g}")
    axis.legend(fontsize=9.5, loc="lower right")
    plt.close(figure)
    line = f"dotted: four in five · {seeds} seeds · spread between hospitals {spread.site:.3f}"
    return plotting.footer(figure, line)


def split_by_image(dataset: DomainDataset, seed: int = 0) -> tuple[DomainDataset, DomainDataset]:
    """Train and test as if nobody had noted the patients: 70 and 30 % of the images, patients on both sides."""
    nameless = replace(dataset, group=np.full(len(dataset), ""))
    train, _, test = split(nameless, seed, (0.7, 0.0, 0.3))
    whole = [dataset.subset(torch.isin(dataset.index, part.index)) for part in (train, test)]
    return whole[0], whole[1]
