"""Trainings that are watched: what the three rules of selection may read of them. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting, selection
from medgen_utils.benchmark.one_source import RATES
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset, split
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, Augmentation, build, fit, flips

LAST, TRAINING, HELD_OUT, ORACLE = "last step", "training-domain", "held-out-domain", "oracle"


@dataclass(frozen=True)
class Watched:
    """AUROC during the trainings without one target, rows as `training.fit` has them, ``trial`` the seed.

    main: all sources train; split "validation" (their held-back patients) or "test" (the target).
    inner: one source more is left out, column ``held_out``; its rows are what held-out-domain validation reads.
    """

    target: str
    main: pd.DataFrame = field(repr=False)
    inner: pd.DataFrame = field(repr=False)
    about: About

    def history(self, seed: int) -> pd.DataFrame:
        """The main training of a seed."""
        return self.main[self.main["trial"] == seed]

    def choices(self) -> pd.DataFrame:
        """What each rule chooses for each seed: columns rule, seed, step, value (AUROC at the target)."""
        rows = []
        for seed in self.main["trial"].unique().tolist():
            main, inner = self.history(seed), self.inner[self.inner["trial"] == seed]
            at_target = main[main["split"] == "test"].set_index("step")["value"]
            steps = {
                LAST: at_target.index[-1],
                TRAINING: selection.training_domain_validation(main).step,
                HELD_OUT: selection.held_out_domain_validation(inner).step,
                ORACLE: selection.oracle(main).step,
            }
            rows += [[rule, seed, step, at_target[step]] for rule, step in steps.items()]
        return pd.DataFrame(rows, columns=["rule", "seed", "step", "value"])

    def plot(self) -> Figure:
        """The scores that the rules read during the training, mean of seeds; below, what each choice gives."""
        figure, (above, below) = plt.subplots(2, 1, figsize=(5.8, 4.8), height_ratios=[1.25, 1])
        inner = self.inner[self.inner["domain"] == self.inner["held_out"]]
        curves = {
            TRAINING: self.main[self.main["split"] == "validation"],
            HELD_OUT: inner,
            ORACLE: self.main[self.main["split"] == "test"],
        }
        for k, (rule, rows) in enumerate(curves.items()):
            line = rows.groupby("step")["value"].mean()
            above.plot(line.index, line, plotting.MARKERS[k] + "-", markersize=4, color=plotting.PALETTE[k], label=rule)
        above.set(xlabel="training step", ylabel="AUROC that it reads")
        above.legend(fontsize=9.5, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, columnspacing=1)
        choices = self.choices()
        names, colours = [LAST, TRAINING, HELD_OUT, ORACLE], [plotting.QUIET, *plotting.PALETTE]
        for k, name in enumerate(names):
            mine = choices[choices["rule"] == name]["value"]
            below.plot(mine, [k] * len(mine), "o", color=colours[k], alpha=0.8)
            below.plot([mine.mean()] * 2, [k - 0.3, k + 0.3], color=plotting.INK)
        plotting.name_rows(below, names, f"AUROC at {self.target}, at the step it chooses", None)
        plt.close(figure)  # returned, so shown once
        line = f"below a point a seed, bar: mean · {self.about.line(choices['seed'].nunique())}"
        return plotting.footer(figure, line, self.about.credit)

    def say(self) -> Markdown:
        """The mean of each rule at the target, and how far single seeds of a rule lie apart."""
        values = self.choices().groupby("rule", sort=False)["value"]
        means, reach = values.mean(), (values.max() - values.min()).max()
        seeds = self.main["trial"].nunique()
        told = ", ".join(f"{rule} {value:.3f}" for rule, value in means.items())
        return Markdown(
            f"At {self.target}, mean of {seeds} seed{'s' if seeds > 1 else ''}: {told}. "
            f"Within a rule the seeds lie up to {reach:.3f} apart."
        )


def watch(
    dataset: DomainDataset,
    target: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    evaluations: int = 10,
    augment: Augmentation | None = flips,
    width: int = 16,
    n_jobs: int | None = None,
) -> Watched:
    """Train ERM without the target, and without each source in turn as well; score it ``evaluations`` times.

    A fifth of the patients of each source is held back. ValueError for an unknown target, and with fewer than three
    domains: a source has to be left out too.
    """
    sources = [name for name in dataset.domain_names if name != target]
    if target not in dataset.domain_names or len(sources) < 2:
        raise ValueError(f"target={target!r} of {dataset.domain_names}: name one of three or more domains")

    def one(left_out: str | None, seed: int) -> tuple[pd.DataFrame, float]:
        team = [name for name in sources if name != left_out]
        train, held_back, _ = split(dataset.only(*team), seed, (0.8, 0.2, 0.0))
        outside = dataset.only(target if left_out is None else left_out)
        seen = dataset.subset(torch.isin(dataset.index, torch.cat([held_back.index, outside.index])))
        model = build(ERM, train, seed=seed, width=width)
        every = -(-steps // evaluations)
        fitted = fit(
            model, train, steps=steps, augment=augment, validation=seen, evaluate_every=every, seed=seed, **RATES
        )
        rows = fitted.history[fitted.history["metric"] == "auroc"].assign(trial=seed)
        if left_out is not None:
            return rows.assign(held_out=left_out), fitted.seconds
        return rows.assign(split=np.where(rows["domain"] == target, "test", "validation")), fitted.seconds

    tasks = [(left_out, seed) for seed in seeds for left_out in (None, *sources)]
    found = map_runs(one, tasks, n_jobs)
    parts = {kind: [rows for (out, _), (rows, _) in zip(tasks, found, strict=True) if (out is None) == kind]
             for kind in (True, False)}  # fmt: skip
    made = provenance(training_device())
    seconds = sum(took for _, took in found)
    about = About(steps, made["versions"], made["device"], seconds, credit=(dataset.info,))
    main, inner = (pd.concat(parts[kind], ignore_index=True) for kind in (True, False))
    return Watched(target, main, inner, about)
