"""What a method did to the features, beside what it did to the score at a new hospital.

A penalty can work as a penalty and fail as a remedy, so both are read from the same run. Chapter: feature_alignment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils.benchmark.comparison import contenders
from medgen_utils.benchmark.entries import Contender
from medgen_utils.benchmark.protocol import build_contender
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc, balanced_accuracy, predict_probabilities, predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.pretraining import hospital_probe, of_dataset
from medgen_utils.training import ERM, Augmentation, extract_features, fit, flips

COLUMNS = ("method", "target", "seed", "probe", "before", "own", "chance")


@dataclass(frozen=True)
class Look:
    """One trained network, seen from held-back images of its training domains.

    z (n, d), its features; domain (n,) names; y (n,) and called (n,), the recorded class and the network's. probe: the
    balanced accuracy of a fresh linear classifier that names the domain from z (`pretraining.hospital_probe`), before:
    that of the same network untrained; own: that of the discriminator the method trained, NaN where it has none;
    chance of all three. tested: the tidy frame of the domains left out.
    """

    method: str
    target: str
    seed: int
    z: np.ndarray = field(repr=False)
    domain: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    called: np.ndarray = field(repr=False)
    probe: float
    before: float
    own: float
    chance: float
    tested: pd.DataFrame = field(repr=False)

    @property
    def auroc(self) -> dict[str, float]:
        """The score at each domain left out. Two classes."""
        parts = self.tested.groupby("domain", sort=False)
        return {name: float(auroc(part["y"].to_numpy(), part["prob_1"].to_numpy())) for name, part in parts}


@dataclass(frozen=True)
class Inside:
    """Networks that were looked into, and how they did where they never were: a `Result` of the same runs."""

    looks: tuple[Look, ...]
    result: Result

    def table(self) -> pd.DataFrame:
        """A row a network and domain left out: method, target, seed, probe, before, own, chance, domain, auroc."""
        rows = [
            [*(getattr(look, name) for name in COLUMNS), domain, score]
            for look in self.looks
            for domain, score in look.auroc.items()
        ]
        return pd.DataFrame(rows, columns=[*COLUMNS, "domain", "auroc"])

    def beside(self, other: Inside) -> Inside:
        """The networks of both; errors as `Result.beside`."""
        return Inside(self.looks + other.looks, self.result.beside(other.result))

    def calls(self) -> pd.DataFrame:
        """A row a network and training domain: method, seed, domain, and the shares of its held-back images that are of
        class 1 (prevalence), called so (called), and called wrongly (error). Two classes.

        |prevalence - called| <= error, whatever the network does: a share cannot be wrong by more than single images
        are. So two domains whose features are distributed alike, and which are therefore called alike, pay an error of
        at least the difference of their prevalences, together. Source of the idea: Zhao et al. 2019.
        """
        rows = []
        for look in self.looks:
            for domain in dict.fromkeys(look.domain):
                y, called = (part[look.domain == domain] for part in (look.y, look.called))
                rows.append([look.method, look.seed, domain, y.mean(), called.mean(), (y != called).mean()])
        return pd.DataFrame(rows, columns=["method", "seed", "domain", "prevalence", "called", "error"])


def look_inside(
    methods: Sequence[str | Contender],
    dataset: DomainDataset,
    targets: Sequence[str | tuple[str, ...]],
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 400,
    balanced: bool = True,
    augment: Augmentation | None = flips,
    width: int = 16,
    validation_share: float = 0.2,
    n_jobs: int | None = None,
) -> Inside:
    """Train each method without each target (a tuple: several together), with each seed, and look at each network.

    With the same options a network is the one that `benchmark.compare` trains. Methods: names of the scoreboard's
    contenders, or contenders of your own, the first the baseline. ValueError as `compare`, and for a method that is
    more than an algorithm.
    """
    crew = contenders(methods)

    def one(contender: Contender, target: str | tuple[str, ...], seed: int) -> tuple[Look, float]:
        names = (target,) if isinstance(target, str) else target
        sources, new = dataset.without(*names), dataset.only(*names)
        train, held_back, _ = split(sources, seed, (1 - validation_share, validation_share, 0.0))
        model, rates = build_contender(contender, train, seed=seed, width=width)
        before = extract_features(model, held_back.x)
        fitted = fit(model, train, steps=steps, balanced=balanced, augment=augment, seed=seed, **rates)
        z = extract_features(model, held_back.x)
        probe = hospital_probe(of_dataset(z, held_back))
        untrained = hospital_probe(of_dataset(before, held_back)).value
        left_out = " and ".join(names)
        look = Look(
            contender.name, left_out, seed, z.numpy(),
            np.array(held_back.domain_names)[held_back.domain.numpy()], held_back.y.numpy(),
            predict_probabilities(model, held_back.x).argmax(1), probe.value, untrained,
            _own(model, held_back, z), probe.chance,
            predictions_frame(model, new, name=contender.name, seed=seed, protocol=f"leave out {left_out}"),
        )  # fmt: skip
        return look, fitted.seconds

    tasks = [(contender, target, seed) for contender in crew for target in targets for seed in seeds]
    looks, seconds = zip(*map_runs(one, tasks, n_jobs), strict=True)
    made = provenance(training_device())
    about = About(steps, made["versions"], made["device"], sum(seconds), credit=(dataset.info,))
    frame = pd.concat([look.tested for look in looks], ignore_index=True)
    return Inside(looks, Result(frame, tuple(c.name for c in crew), about, sites=dataset.sites()))


def _own(model: ERM, held_back: DomainDataset, z: Tensor) -> float:
    """Balanced accuracy of the model's own discriminator at naming the domain of held-back images."""
    discriminator = getattr(model, "discriminator", None)
    if discriminator is None or discriminator[0].in_features != z.shape[1]:  # one that is told the class is no witness
        return float("nan")
    places = torch.unique(held_back.domain, return_inverse=True)[1]
    with torch.no_grad():
        logits = discriminator(z)
    return float(balanced_accuracy(places.numpy(), logits.softmax(1).numpy()))


def dealt_out(dataset: DomainDataset, *kept: str, seed: int = 0) -> DomainDataset:
    """The same images with the names of their domains dealt out at random, but for the domains ``kept``.

    The null of every alignment: groups that differ in nothing. What a penalty gains there is no gain by alignment.
    """
    domain = dataset.domain.clone()
    moved = torch.isin(dataset.index, dataset.without(*kept).index).nonzero()[:, 0]
    order = torch.randperm(len(moved), generator=torch.Generator().manual_seed(seed))
    domain[moved] = dataset.domain[moved[order]]
    return replace(dataset, domain=domain)
