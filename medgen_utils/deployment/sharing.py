"""Hospitals of the clinic that train together without sharing images. Chapter: outlook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from torch import Tensor

from medgen_utils.adaptation import adapt_batchnorm
from medgen_utils.clinic import Clinic, make_clinic
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.federated import federate
from medgen_utils.hospital import Hospital
from medgen_utils.machine import map_runs
from medgen_utils.training import ERM, build, fit, flips_and_turns

LOCAL_STEPS = 10  # between two meetings
MEMBERS, OUTSIDE = "its members", "a new hospital"


def train_together(
    members: Sequence[Hospital], outside: Hospital, seeds: Sequence[int], steps: int, n: int = 100
) -> pd.DataFrame:
    """Five trainings on n patients of each member, tested on 300 other patients of each and of a hospital outside.

    A row a training, place and seed: training, tested at (`MEMBERS`: their mean, or `OUTSIDE`), seed, value (AUROC).
    "each alone": a network a member, outside the mean of them; "images pooled": plain training on all images;
    "FedAvg"; "FedBN", whose guest takes the members' mean normalization outside; "FedBN, own statistics": the guest
    with statistics of the images, without labels, of the hospital where it is tested. Every network sees ``steps``
    steps, of 16 images a member.
    """
    tasks = [(tuple(members), outside, seed, steps, n) for seed in seeds]
    return pd.concat(map_runs(_trained, tasks), ignore_index=True)


def _trained(members: tuple[Hospital, ...], outside: Hospital, seed: int, steps: int, n: int) -> pd.DataFrame:
    train = make_clinic(members, n, seed)
    inside = make_clinic(members, 300, 1000 + seed)
    tests = {hospital.name: inside.only(hospital.name) for hospital in members}
    tests |= {OUTSIDE: make_clinic([replace(outside, name=OUTSIDE)], 300, 2000 + seed)}
    start = build(ERM, train, seed=seed, width=16)
    how = {"rounds": max(1, steps // LOCAL_STEPS), "local_steps": LOCAL_STEPS, "augment": flips_and_turns, "seed": seed}
    pooled = build(ERM, train, seed=seed, width=16)
    fit(pooled, train, steps=steps, batch_size=16 * len(members), augment=flips_and_turns, seed=seed)
    alone = {}
    for hospital in members:
        alone[hospital.name] = build(ERM, train, seed=seed, width=16)
        fit(alone[hospital.name], train.only(hospital.name), steps=steps, batch_size=16, augment=flips_and_turns,
            seed=seed)  # fmt: skip
    average, local = federate(start, train, **how), federate(start, train, local_normalization=True, **how)

    def score(model: ERM, test: Clinic) -> float:
        return auroc(test.true_y.numpy(), predict_probabilities(model, test.x))

    def own(x: Tensor) -> ERM:
        return adapt_batchnorm(local.guest, x, 0)

    trained = {
        "each alone": lambda place, test: _mean(score(m, test) for k, m in alone.items() if place in (k, OUTSIDE)),
        "images pooled": lambda place, test: score(pooled, test),
        "FedAvg": lambda place, test: score(average.guest, test),
        "FedBN": lambda place, test: score(local.members.get(place, local.guest), test),
        "FedBN, own statistics": lambda place, test: score(own(test.x), test),
    }
    rows = [
        [name, place if place == OUTSIDE else MEMBERS, seed, value(place, test)]
        for name, value in trained.items()
        for place, test in tests.items()
    ]
    table = pd.DataFrame(rows, columns=["training", "tested at", "seed", "value"])
    return table.groupby(["training", "tested at", "seed"], sort=False, as_index=False).mean()


def _mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)
