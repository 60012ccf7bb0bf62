"""A stress test: differently augmented networks under every kind of damage. Chapter: evaluation_reports."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import balanced_accuracy, predict_probabilities
from medgen_utils.machine import map_runs
from medgen_utils.shifts.corruptions import CORRUPTIONS, corrupt
from medgen_utils.training import ERM, Augmentation, build, fit

UNHARMED = "none"


class Version(NamedTuple):
    """How a network is trained, and the family of corruptions that this shows it ("" for none of them)."""

    augment: Augmentation | None
    trained_on: str = ""


class Stress(NamedTuple):
    """frame: columns version, seed, corruption, family, severity, error (1 - balanced accuracy); versions by name, the
    first the baseline; seconds of training, all together."""

    frame: pd.DataFrame
    versions: dict[str, Version]
    seconds: float

    def clean(self) -> pd.Series:
        """Error on undamaged images by version."""
        rows = self.frame[self.frame["corruption"] == UNHARMED]
        return rows.groupby("version")["error"].mean().loc[list(self.versions)]

    def errors(self) -> pd.DataFrame:
        """Error of each family (rows) and version (columns), mean over its corruptions, severities and seeds."""
        damaged = self.frame[self.frame["corruption"] != UNHARMED]
        return damaged.pivot_table(index="family", columns="version", values="error")[list(self.versions)]

    def table(self) -> pd.DataFrame:
        """BE and rBE of MedMNIST-C (Di Salvo et al. 2024) against the first version; rows (measure, version)."""
        errors, clean, base = self.errors(), self.clean(), next(iter(self.versions))
        be = errors.div(errors[base], axis=0)
        rbe = (errors - clean).div(errors[base] - clean[base], axis=0)
        parts = {"BE": be.drop(columns=base).T, "rBE": rbe.drop(columns=base).T}
        return pd.concat(parts, names=["measure", "version"])

    def own_and_other(self) -> pd.DataFrame:
        """BE of each version that trained on a family: on that family, and the mean on the others."""
        be = self.table().loc["BE"]
        rows = {
            name: {"own": row[self.versions[name].trained_on], "other": row.drop(self.versions[name].trained_on).mean()}
            for name, row in be.iterrows()
            if self.versions[name].trained_on
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def say(self) -> Markdown:
        """Errors without damage, and BE on the family that a version trained on beside the others."""
        found, seeds = self.own_and_other(), self.frame["seed"].nunique()
        clean = ", ".join(f"{name} {value:.2f}" for name, value in self.clean().items())
        own, other = (", ".join(f"{row[key]:.2f} ({name})" for name, row in found.iterrows()) for key in found)
        return Markdown(
            f"Error without damage: {clean}. On the family it was trained on, BE is {own}. "
            f"On the families held out from training the means are {other}. "
            f"{seeds} seed{'s' if seeds > 1 else ''}, no intervals: trust large differences only."
        )


def kinds(modality: str) -> dict[str, str]:
    """Corruption -> family, of those that fit a modality of `corruptions.MODALITIES`."""
    return {name: kind.family for name, kind in CORRUPTIONS.items() if modality in kind.modalities}


def stress(
    versions: dict[str, Version],
    train: DomainDataset,
    test: DomainDataset,
    modality: str,
    *,
    seeds: Sequence[int] = (0,),
    severities: Sequence[int] = (1, 2, 3, 4, 5),
    steps: int = 400,
    width: int = 16,
    learning_rate: float = 1e-2,
    n_jobs: int | None = None,
) -> Stress:
    """Train ERM in each version and with each seed; test it on ``test`` undamaged and under all `kinds` of damage.

    Every network sees the same damaged images. ValueError where no corruption fits the modality.
    """
    if not (found := kinds(modality)):
        raise ValueError(f"modality={modality!r}: no corruption fits it")

    def one(name: str, seed: int) -> tuple[pd.DataFrame, float]:
        model = build(ERM, train, seed=seed, width=width)
        fitted = fit(model, train, steps=steps, augment=versions[name].augment, learning_rate=learning_rate, seed=seed)
        rows, y = [], test.y.numpy()
        for kind, severity in [(UNHARMED, 0), *itertools.product(found, severities)]:
            generator = torch.Generator().manual_seed(severity)
            x = corrupt(test.x, kind, severity, generator) if severity else test.x
            error = 1 - balanced_accuracy(y, predict_probabilities(model, x))
            rows.append([name, seed, kind, found.get(kind, ""), severity, error])
        columns = ["version", "seed", "corruption", "family", "severity", "error"]
        return pd.DataFrame(rows, columns=columns), fitted.seconds

    frames, seconds = zip(*map_runs(one, list(itertools.product(versions, seeds)), n_jobs), strict=True)
    return Stress(pd.concat(frames, ignore_index=True), versions, float(np.sum(seconds)))
