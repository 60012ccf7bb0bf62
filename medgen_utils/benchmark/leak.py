"""How much other images of the tested patients in the training flatter the score. Chapter: evaluation_protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from medgen_utils import plotting
from medgen_utils.benchmark.one_source import HOME, RATES
from medgen_utils.benchmark.result import About
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import Interval, auroc, predict_probabilities, t_interval
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, Augmentation, build, fit, flips

WHOLE, LEAKY = "patients whole", "siblings leak"


@dataclass(frozen=True)
class Leak:
    """A row a split of the patients: seed, AUROC "patients whole" and "siblings leak", images in train and leaked."""

    frame: pd.DataFrame = field(repr=False)
    about: About

    def inflation(self) -> Interval:
        """Leaky minus whole, mean over splits with Student's t."""
        return t_interval((self.frame[LEAKY] - self.frame[WHOLE]).to_numpy())

    def plot(self) -> Figure:
        """A line a split, from whole patients to leaking siblings, and their mean."""
        figure, axis = plt.subplots(figsize=(5.8, 3.0))
        axis.plot([0, 1], self.frame[[WHOLE, LEAKY]].T, "o-", color=plotting.PALETTE[0], linewidth=1, alpha=0.6)
        mean = self.frame[[WHOLE, LEAKY]].mean()
        axis.plot([0, 1], mean, "D-", color=plotting.PALETTE[1], linewidth=3, label="mean")
        axis.set(xticks=[0, 1], xticklabels=[WHOLE, LEAKY], xlim=(-0.4, 1.4), ylabel="AUROC, same test images")
        axis.legend()
        plt.close(figure)  # returned, so shown once
        return plotting.footer(figure, f"a line a split · {self.about.line(len(self.frame))}", self.about.credit)

    def say(self) -> Markdown:
        """The inflation with its interval, how many images leaked, and the verdict."""
        found, mean = self.inflation(), self.frame.mean(numeric_only=True)
        shown = "The interval excludes zero." if found.low > 0 else (
            "The interval includes zero: these runs cannot show an inflation, which is no licence to leak."
        )  # fmt: skip
        return Markdown(
            f"With the siblings in training the AUROC changes by {found.value:+.3f} "
            f"(95 % interval over {len(self.frame)} splits {found.low:+.3f} to {found.high:+.3f}), "
            f"when on average {mean['leaked']:.0f} training images of {mean['train']:.0f} leak. {shown}"
        )


def leak(
    dataset: DomainDataset,
    seeds: Sequence[int],
    steps: int,
    *,
    augment: Augmentation | None = flips,
    width: int = 16,
    n_jobs: int | None = None,
) -> Leak:
    """ERM twice for each seed: the same test images and as many training images, without and with siblings.

    70 % of the patients train. One image of each other patient who has several is tested; in the leaky training the
    rest of that patient's images takes the place of as many images of other patients, so every tested image has a
    sibling there. ValueError where no patient has two images.
    """
    if not (pd.Series(dataset.group[dataset.group != ""]).value_counts() > 1).any():
        raise ValueError(f"{dataset.info.name}: no known patient has two images, so nothing can leak")

    def one(seed: int) -> dict[str, float]:
        train, _, test = split(dataset, seed, HOME)
        rows_of = pd.Series(range(len(test)))[test.group != ""].groupby(test.group[test.group != ""]).agg(list)
        several = [rows for rows in rows_of if len(rows) > 1]
        tested = test.subset([rows[0] for rows in several])
        siblings = test.index[[i for rows in several for i in rows[1:]]]
        kept = np.random.default_rng(seed).permutation(len(train))[len(siblings) :]
        leaky = dataset.subset(torch.isin(dataset.index, torch.cat([train.index[kept], siblings])))
        row = {"seed": seed, "train": len(train), "leaked": len(siblings), "seconds": 0.0}
        for name, part in {WHOLE: train, LEAKY: leaky}.items():
            model = build(ERM, part, seed=seed, width=width)
            row["seconds"] += fit(model, part, steps=steps, augment=augment, seed=seed, **RATES).seconds
            row[name] = auroc(tested.y.numpy(), predict_probabilities(model, tested.x))
        return row

    frame = pd.DataFrame(map_runs(one, [(seed,) for seed in seeds], n_jobs))
    made = provenance(training_device())
    about = About(steps, made["versions"], made["device"], frame["seconds"].sum(), credit=(dataset.info,))
    return Leak(frame, about)
