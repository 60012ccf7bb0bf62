"""Train on one domain, test on each: what leaving home costs, and what it does not say. Chapter: generalization_gap.

A row of the matrix is one network at home and away; a column is one test set read by all. A low column may be a hard
test set as well as a bad model: `benchmark.left_out` has the reference that tells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from medgen_utils import plotting
from medgen_utils.benchmark.entries import SHARED_SPACE
from medgen_utils.benchmark.result import NAMES, About
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import generalization_gap, metrics_by, predictions_frame, with_interval
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, Augmentation, build, fit, flips

RATES = {name: default for name, (default, _, _) in SHARED_SPACE.items()}  # as `compare` trains: trial 0
HOME = (0.7, 0.0, 0.3)  # shares of the patients of each domain: training, validation, test


@dataclass(frozen=True)
class OneSource:
    """Networks that each learned at one domain, tested on new patients of every domain; seeds are repeats.

    frame: the tidy frame of `evaluation.predictions_frame`, ``algorithm`` is the domain of the training. It may hold
    several kinds of training (another name in ``algorithm`` and its domain in ``homes``).
    """

    frame: pd.DataFrame = field(repr=False)
    homes: dict[str, str]
    about: About
    metric: str = "auroc"

    def only(self, *names: str) -> OneSource:
        """The named trainings; KeyError for one that is not here."""
        homes = {name: self.homes[name] for name in names}
        return OneSource(self.frame[self.frame["algorithm"].isin(names)], homes, self.about, self.metric)

    def matrix(self) -> pd.DataFrame:
        """A row a training and tested domain: algorithm, domain, value, n, low, high (over patients)."""
        return metrics_by(self.frame, ("algorithm", "domain"), [self.metric])

    def gaps(self) -> pd.DataFrame:
        """Home minus away for each training: algorithm, domain, value, low, high (over patients of both)."""
        rows = [
            generalization_gap(images, self.homes[name], metric=self.metric)
            for name, images in self.frame.groupby("algorithm", sort=False)
        ]
        return pd.concat(rows, ignore_index=True)

    def table(self) -> pd.DataFrame:
        """A row a training: images trained on, at home, mean elsewhere, their difference, the worst gap and where."""
        matrix, gaps = self.matrix().set_index(["algorithm", "domain"])["value"], self.gaps()
        rows = {}
        for name, away in gaps.groupby("algorithm", sort=False):
            home = matrix[name, self.homes[name]]
            mine = self.frame[self.frame["algorithm"] == name]
            worst = away.loc[away["value"].idxmax()]
            rows[name] = {
                "images": round(mine.groupby("seed")["trained"].first().mean()), "at home": home,
                "elsewhere": home - away["value"].mean(), "gap": away["value"].mean(),
                "worst gap": worst["value"], "at": worst["domain"],
            }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trained on").round(3)

    def plot(self) -> Figure:
        """The matrix, rows train and columns test; one training: a line a tested domain. Intervals over patients."""
        matrix = self.matrix()
        if matrix["algorithm"].nunique() > 1:
            axis = plotting.matrix_plot(matrix, "algorithm", "domain", label=NAMES.get(self.metric, self.metric))
            axis.set(xlabel="tested on", ylabel="trained on")
        else:
            axis = plotting.interval_plot(matrix, "domain", label=f"{NAMES.get(self.metric, self.metric)}, tested on")
            axis.set_xlim(0.4, 1.0)
        plt.close(axis.figure)  # returned, so shown once
        line = f"95 % interval over patients · {self.about.line(self.frame['seed'].nunique())}"
        return plotting.footer(axis.figure, line, self.about.credit)

    def say(self) -> Markdown:
        """A sentence a training: at home, and each loss elsewhere with its interval over patients."""
        matrix = self.matrix().set_index(["algorithm", "domain"])["value"]
        sentences = []
        for name, away in self.gaps().groupby("algorithm", sort=False):
            parts = [f"{row.domain} {with_interval((-row.value, -row.high, -row.low))}" for row in away.itertuples()]
            home = f"{matrix[name, self.homes[name]]:.2f} at home"
            sentences.append(f"Trained on **{name}**: {home}; elsewhere {', '.join(parts)}.")
        return Markdown("\n".join(f"- {sentence}" for sentence in sentences) if len(sentences) > 1 else sentences[0])


def train_on_each(
    dataset: DomainDataset,
    sources: Sequence[str] | None = None,
    *,
    targets: Sequence[str] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    most: int | None = None,
    metric: str = "auroc",
    augment: Augmentation | None = flips,
    width: int = 16,
    n_jobs: int | None = None,
) -> OneSource:
    """Train ERM on 70 % of the patients of one domain, test it on the other 30 % of each domain: an `OneSource`.

    sources: the domains that train, each alone, all of them where None; targets: the domains tested beside the source.
    ``most``: train on at most so many images, whole patients, to ask whether it is the domain or the number; the name
    then says so. The test patients of a domain depend on the seed alone. ValueError for an unknown domain and for less
    than two images.
    """
    names = list(dataset.domain_names)
    sources, targets = list(sources or names), list(targets or names)
    if most is not None and most < 2:
        raise ValueError(f"most={most}: training needs at least two images")
    dataset.only(*sources, *targets)  # names an unknown domain

    def one(source: str, seed: int) -> pd.DataFrame:
        train, _, _ = split(dataset.only(source), seed, HOME)
        if most is not None and most < len(train):
            train, _, _ = split(train, seed, (most / len(train), 0.0, 1 - most / len(train)))
        model = build(ERM, train, seed=seed, width=width)
        seconds = fit(model, train, steps=steps, augment=augment, seed=seed, **RATES).seconds
        _, _, test = split(dataset, seed, HOME)
        order = list(dict.fromkeys([source, *targets]))
        name = source if most is None else f"{source}, {most} images"
        label = {"name": name, "seed": seed, "protocol": "train on one"}
        frame = pd.concat([predictions_frame(model, test.only(domain), **label) for domain in order])
        return frame.assign(trained=len(train), seconds=seconds)

    tasks = [(source, seed) for source in sources for seed in seeds]
    frame = pd.concat(map_runs(one, tasks, n_jobs), ignore_index=True)
    made = provenance(training_device())
    took = frame.drop_duplicates("run")["seconds"].sum()
    about = About(steps, made["versions"], made["device"], took, credit=(dataset.info,))
    homes = dict(zip(frame["algorithm"].drop_duplicates(), sources, strict=True))
    return OneSource(frame, homes, about, metric)


def train_at_home(
    dataset: DomainDataset,
    home: str,
    versions: dict[str, Callable[[Tensor], Tensor] | None],
    *,
    seed: int = 0,
    steps: int = 400,
    augment: Augmentation | None = flips,
    width: int = 16,
    n_jobs: int | None = None,
) -> OneSource:
    """One network a version, as a hospital buys one, trained on 70 % of the patients of ``home``: an `OneSource`.

    versions: name -> normalization inside the network, or None. Tested on the other 30 % at home and on all images of
    every other domain. ValueError for an unknown domain.
    """
    train, _, held_back = split(dataset.only(home), seed, HOME)
    tested = [held_back, *(dataset.only(name) for name in dataset.domain_names if name != home)]

    def one(name: str, normalize: Callable[[Tensor], Tensor] | None) -> pd.DataFrame:
        model = build(ERM, train, seed=seed, width=width, normalize=normalize)
        seconds = fit(model, train, steps=steps, augment=augment, seed=seed, **RATES).seconds
        label = {"name": name, "seed": seed, "protocol": f"trained at {home}"}
        frame = pd.concat([predictions_frame(model, part, **label) for part in tested])
        return frame.assign(trained=len(train), seconds=seconds)

    frame = pd.concat(map_runs(one, list(versions.items()), n_jobs), ignore_index=True)
    made = provenance(training_device())
    took = frame.drop_duplicates("run")["seconds"].sum()
    about = About(steps, made["versions"], made["device"], took, credit=(dataset.info,))
    return OneSource(frame, dict.fromkeys(versions, home), about)


def together(*results: OneSource) -> OneSource:
    """Several trainings in one matrix, in this order; the footer is that of the first, with the seconds of all."""
    frame = pd.concat([result.frame for result in results], ignore_index=True)
    homes = {name: home for result in results for name, home in result.homes.items()}
    first = results[0].about
    seconds = float(np.sum([result.about.seconds for result in results]))
    about = About(first.steps, first.versions, first.device, seconds, first.source, first.credit)
    return OneSource(frame, homes, about, results[0].metric)
