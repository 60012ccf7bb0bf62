"""Larger pools to pre-train on, the target's own images among them or not. Chapter: self_supervision.

What is in the pool decides what a result means: with unlabelled images of the target it is adaptation to that hospital.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import paired_difference, predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.self_supervision import fine_tune, unlabelled
from medgen_utils.self_supervision.kept import RATES, Task, pretrained
from medgen_utils.training import ERM, Augmentation, build, fit, flips

HALF, ALL = "ERM, half of the steps", "ERM, all steps"


class Parted(NamedTuple):
    """The sources with their labels; the target's patients in two halves, one to look at and one to be judged on."""

    sources: DomainDataset
    looked_at: DomainDataset
    test: DomainDataset


def part(dataset: DomainDataset, target: str, seed: int = 0) -> Parted:
    """Sources, and the target's patients in two halves. ValueError where ``target`` is no domain."""
    looked_at, _, test = split(dataset.only(target), seed, (0.5, 0.0, 0.5))
    return Parted(dataset.without(target), looked_at, test)


def pooled(*datasets: DomainDataset) -> DomainDataset:
    """Images of several data sets as one without labels, a domain for each of theirs.

    Of two domains of one name the later ones get a number. ValueError where sizes or channels differ.
    """
    shapes = {tuple(dataset.x.shape[1:]) for dataset in datasets}
    if len(shapes) != 1:
        raise ValueError(f"images of the shapes {sorted(shapes)}: pool images of one size and number of channels")
    names, numbers = [], []
    for dataset in datasets:
        number = torch.empty_like(dataset.domain)
        for k in dataset.domain.unique().tolist():
            number[dataset.domain == k] = len(names)
            again = sum(name.split(" (")[0] == dataset.domain_names[k] for name in names)
            names.append(dataset.domain_names[k] + (f" ({again + 1})" if again else ""))
        numbers.append(number)
    together = DomainDataset(
        torch.cat([dataset.x for dataset in datasets]),
        torch.zeros(sum(map(len, datasets)), dtype=torch.int64),
        torch.cat(numbers),
        np.concatenate([dataset.group for dataset in datasets]).astype(str),
        datasets[0].class_names,
        tuple(names),
        datasets[0].info,
    )
    return unlabelled(together)


def best_pool(result: Result) -> pd.Series:
    """The pool with the best mean minus the better of the two plain trainings: pool, plain, value, low, high.

    The interval is over patients. Of the best of several the value is too good; it is here to be held against zero.
    """
    means = result.table()["mean"]
    plain, pool = means[[ALL, HALF]].idxmax(), means.drop([ALL, HALF]).idxmax()
    row = paired_difference(result.frame, pool, plain, by=()).squeeze()
    return pd.concat([pd.Series({"pool": pool, "plain": plain}), row[["value", "low", "high"]]])


def compare_pools(
    parted: Parted,
    pools: Mapping[str, DomainDataset],
    task: Task,
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 500,
    augment: Augmentation = flips,
    width: int = 16,
) -> Result:
    """Pre-train on each pool for ``steps``, fine-tune on the sources for as many, judge on the target's other half.

    Beside plain training of both together, the baseline, and of half of them: a `Result`, the pools named as given.
    All sources train, none is set aside, and nothing is selected; a step draws as many images of each domain of a pool.
    """

    def one(name: str, seed: int) -> tuple[pd.DataFrame, float]:
        began, settings = time.perf_counter(), {"augment": augment, "seed": seed, **RATES}
        if name in (HALF, ALL):
            model = build(ERM, parted.sources, seed=seed, width=width)
            fit(model, parted.sources, steps=2 * steps if name == ALL else steps, **settings)
        else:
            start = pretrained(task, pools[name], seed=seed, steps=steps, width=width)
            model = fine_tune(start, parted.sources, steps=steps, **settings)
        target = parted.test.domain_names[int(parted.test.domain[0])]
        frame = predictions_frame(model, parted.test, name=name, seed=seed, protocol=f"leave out {target}")
        return frame, time.perf_counter() - began

    methods = (ALL, HALF, *pools)
    frames, seconds = zip(*map_runs(one, [(name, seed) for seed in seeds for name in methods]), strict=True)
    made = provenance(training_device())
    about = About(2 * steps, made["versions"], made["device"], sum(seconds), credit=(parted.sources.info,))
    frame = pd.concat(frames, ignore_index=True)
    return Result(frame, methods, about, "auroc", "site", None, parted.sources.sites())
