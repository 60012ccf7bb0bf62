"""What features that were learned without labels keep: the class, the hospital, a detail. Chapter: self_supervision.

On the synthetic clinic, where true class, marker and size of every lesion are known. A task is a pair (algorithm, its
hyper-parameters), such as ``(SimCLR, {"augment": random_crop})``; `training.ERM` is the one that sees labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils.clinic import NEW_HOSPITAL, Clinic, Hospital, make_clinic
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc
from medgen_utils.machine import map_runs
from medgen_utils.probes import linear_probe
from medgen_utils.self_supervision.algorithms import RotNet, SimCLR, unlabelled
from medgen_utils.training import ERM, Augmentation, build, extract_features, fit, flips_and_turns

Task = tuple[type[ERM], dict[str, Any]]
UNTRAINED = "untrained"
CLASS_HOME, CLASS_NEW = "class, source hospitals", "class, new hospital"
MORE = "new hospital, probe saw varied copies", "new hospital, probe of its own labels"
PROJECTED = "hospital, from the projection"
HOSPITAL, SIZE = "hospital (chance 0.33)", "size of the lesion (R²)"
MARKER = "marker"
IMAGES = 48  # that a step shows the network, whatever the task makes of them
RATES = {"learning_rate": 1e-2, "weight_decay": 1e-3}  # the defaults of the scoreboard


def clinic_parts(hospitals: Sequence[Hospital], seed: int = 0, n: int = 600) -> tuple[Clinic, Clinic]:
    """The training part of the sources (70 % of n patients each), and the test part of all hospitals.

    ValueError where the new hospital is not among them.
    """
    train, test = _parts(hospitals, seed, n)
    return train.without(NEW_HOSPITAL), test


def _parts(hospitals: Sequence[Hospital], seed: int, n: int) -> tuple[Clinic, Clinic]:
    train, _, test = split(make_clinic(hospitals, n, seed=seed), seed, (0.7, 0.0, 0.3))
    return train, test


def pretrained(task: Task, train: DomainDataset, *, seed: int, steps: int, width: int = 16) -> ERM:
    """A network trained on a task; only `training.ERM` itself sees the labels, with flips and quarter turns."""
    algorithm, hyperparameters = task
    model = build(algorithm, train, seed=seed, width=width, hyperparameters=hyperparameters)
    labels = algorithm is ERM
    copies = 2 if issubclass(algorithm, SimCLR) else 4 if algorithm is RotNet else 1
    fit(
        model, train if labels else unlabelled(train), steps=steps, batch_size=IMAGES // copies, balanced=labels,
        augment=flips_and_turns if labels else None, seed=seed, **RATES,
    )  # fmt: skip
    return model


def probe_features(model: ERM, train: Clinic, test: Clinic) -> dict[str, float]:
    """What linear probes, fitted at the source hospitals, read on new patients: class, hospital, size of the lesion.

    Class at the sources and at the new hospital: AUROC of the true class. Hospital: share named correctly. Size: the
    variance of the radius that is explained; it falls below 0 where the mean would do better.
    """
    home, away = test.without(NEW_HOSPITAL), test.only(NEW_HOSPITAL)
    z, z_home, z_away = (extract_features(model, part.x) for part in (train, home, away))
    diagnosis = linear_probe(z, train.true_y)
    radius = train.nuisance["radius"].to_numpy()
    weights = np.linalg.lstsq(np.c_[z, np.ones(len(z))], radius, rcond=None)[0]
    truth = home.nuisance["radius"].to_numpy()
    return {
        CLASS_HOME: auroc(home.true_y.numpy(), diagnosis.predict_proba(z_home)[:, 1]),
        CLASS_NEW: auroc(away.true_y.numpy(), diagnosis.predict_proba(z_away)[:, 1]),
        HOSPITAL: linear_probe(z, train.domain).score(z_home, home.domain),
        SIZE: 1 - (truth - np.c_[z_home, np.ones(len(z_home))] @ weights).var() / truth.var(),
    }


def class_at_new(model: ERM, x: Tensor, true_y: Tensor, test: Clinic) -> float:
    """AUROC of the class at the new hospital, by a probe fitted to the images x (n, C, H, W) and labels true_y (n,)."""
    probe = linear_probe(extract_features(model, x), true_y)
    away = test.only(NEW_HOSPITAL)
    return auroc(away.true_y.numpy(), probe.predict_proba(extract_features(model, away.x))[:, 1])


def with_copies(train: Clinic, varied: Augmentation, copies: int = 3) -> tuple[Tensor, Tensor]:
    """The images and so many varied copies of each, (n (copies + 1), C, H, W), and their true classes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.cat([train.x, *(varied(train.x, generator) for _ in range(copies))])
    return x, train.true_y.repeat(copies + 1)


def what_is_kept(
    tasks: Mapping[str, Task],
    hospitals: Sequence[Hospital],
    *,
    varied: Augmentation | None = None,
    seeds: Sequence[int] = (0, 1),
    steps: int = 500,
    n: int = 600,
    width: int = 16,
) -> pd.DataFrame:
    """`probe_features` of an untrained network and of one trained on each task.

    The frame is tidy: features, seed, read (what the probe was asked for), value. ``varied`` adds two probes for the
    class at the new hospital: one fitted to varied copies of the sources too, one to other patients of that hospital.
    SimCLR's projection, which its loss looks at and which is thrown away, is asked for the hospital too.
    """

    def one(name: str, seed: int) -> list[list]:
        everywhere, test = _parts(hospitals, seed, n)
        train = everywhere.without(NEW_HOSPITAL)
        if name == UNTRAINED:
            model = build(ERM, train, seed=seed, width=width).eval()
        else:
            model = pretrained(tasks[name], train, seed=seed, steps=steps, width=width)
        read = probe_features(model, train, test)
        if varied is not None:
            own = everywhere.only(NEW_HOSPITAL)
            fitted = with_copies(train, varied), (own.x, own.true_y)
            read |= {what: class_at_new(model, *to, test) for what, to in zip(MORE, fitted, strict=True)}
        if isinstance(model, SimCLR):
            home = test.without(NEW_HOSPITAL)
            z, z_home = (model.projector(extract_features(model, part.x)).detach() for part in (train, home))
            read[PROJECTED] = linear_probe(z, train.domain).score(z_home, home.domain)
        return [[name, seed, what, value] for what, value in read.items()]

    found = map_runs(one, [(name, seed) for seed in seeds for name in (UNTRAINED, *tasks)])
    return pd.DataFrame([row for rows in found for row in rows], columns=["features", "seed", "read", "value"])


class Probed:
    """A frozen network with a linear probe, fitted to recorded labels, in the place of its last layer."""

    def __init__(self, network: ERM, train: DomainDataset, strength: float = 0.1):
        self.network = network
        self.probe = linear_probe(self.features(train.x), train.y, strength)

    def features(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> features (n, d)."""
        return extract_features(self.network, x)

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> logarithms of the probabilities (n, k)."""
        return torch.from_numpy(self.probe.predict_proba(self.features(x).numpy())).clamp_min(1e-12).log()


def with_the_marker(
    tasks: Mapping[str, Task],
    hospitals: Sequence[Hospital],
    *,
    seeds: Sequence[int] = (0, 1),
    steps: int = 500,
    n: int = 600,
    width: int = 16,
) -> pd.DataFrame:
    """Where a marker misleads: columns features, seed, read, value (AUROC at the new hospital).

    ``read`` is the true class, by a last layer fitted to the recorded labels of the sources, or the marker itself, by a
    probe that looks for it.
    """

    def one(name: str, seed: int) -> list[list]:
        train, test = clinic_parts(hospitals, seed, n)
        away = test.only(NEW_HOSPITAL)
        model = Probed(pretrained(tasks[name], train, seed=seed, steps=steps, width=width), train)
        finder = linear_probe(model.features(train.x), train.marker)
        found = finder.predict_proba(model.features(away.x))[:, 1]
        diagnosis = auroc(away.true_y.numpy(), model.predict(away.x)[:, 1].numpy())
        return [[name, seed, CLASS_NEW, diagnosis], [name, seed, MARKER, auroc(away.marker.numpy(), found)]]

    found = map_runs(one, [(name, seed) for seed in seeds for name in tasks])
    return pd.DataFrame([row for rows in found for row in rows], columns=["features", "seed", "read", "value"])
