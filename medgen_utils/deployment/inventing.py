"""Drawn images beside real ones in the training, on the clinic. Chapter: outlook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils.clinic import Clinic, acquisition_hospitals, make_clinic
from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.generative import ClassGaussians
from medgen_utils.hospital import Hospital
from medgen_utils.machine import map_runs
from medgen_utils.training import ERM, build, fit, flips_and_turns

DRAWN = 300  # images of each class
REAL, WITH_DRAWN, ONLY_DRAWN, MORE_REAL = "real", "real and drawn", "drawn alone", "real, five times as many"


def train_on_drawn(new: Hospital, seeds: Sequence[int], steps: int, n: int = 40) -> pd.DataFrame:
    """Four trainings at three hospitals with n patients each, tested on other patients there and at a new one.

    A row a training, place and seed: training, tested at, seed, value (AUROC). Drawn images come from
    `ClassGaussians` of the real ones; where both train, half of a batch is drawn. Same steps for all.
    """
    return pd.concat(map_runs(_trained, [(new, seed, steps, n) for seed in seeds]), ignore_index=True)


def few_patients(seed: int, n: int = 40) -> Clinic:
    """n patients of each of the three training hospitals: the first of five times as many."""
    many = make_clinic(acquisition_hospitals(3)[:-1], 5 * n, seed)
    return many.subset(torch.cat([torch.arange(n) + start for start in range(0, len(many), 5 * n)]))


def _trained(new: Hospital, seed: int, steps: int, n: int) -> pd.DataFrame:
    sources = acquisition_hospitals(3)[:-1]
    many, real = make_clinic(sources, 5 * n, seed), few_patients(seed, n)
    generator = torch.Generator().manual_seed(seed)
    drawn = [ClassGaussians(real.x, real.y).draw(DRAWN, generator) for _ in sources]
    sets = {
        REAL: real,
        WITH_DRAWN: together([(real.only(h.name).x, real.only(h.name).y) for h in sources] + drawn, real),
        ONLY_DRAWN: together(drawn, real),
        MORE_REAL: many,
    }
    tests = {"the same hospitals": make_clinic(sources, 300, 1000 + seed), "a darker scanner": _at(new, seed)}
    rows = []
    for name, train in sets.items():
        model = build(ERM, train, seed=seed, width=16)
        fit(model, train, steps=steps, augment=flips_and_turns, seed=seed)
        for place, test in tests.items():
            rows.append([name, place, seed, auroc(test.true_y.numpy(), predict_probabilities(model, test.x))])
    return pd.DataFrame(rows, columns=["training", "tested at", "seed", "value"])


def _at(new: Hospital, seed: int) -> Clinic:
    return make_clinic([replace(new, name="new")], 300, 2000 + seed)


def together(parts: Sequence[tuple[Tensor, Tensor]], like: DomainDataset) -> DomainDataset:
    """Images and labels (x, y) of several sources as one data set, a domain each, so that each has its share of a step.

    Classes and information are those of ``like``.
    """
    x, y = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    domain = torch.cat([torch.full((len(part[1]),), number) for number, part in enumerate(parts)])
    names = tuple(f"part {number + 1}" for number in range(len(parts)))
    return DomainDataset(x, y, domain, np.full(len(y), ""), like.class_names, names, like.info)
