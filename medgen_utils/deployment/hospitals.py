"""Adaptation at real hospitals that take no part in the training, one after the other. Chapter: outlook."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import torch

from medgen_utils.adaptation import ByBatch, ManyViews, Tent, adapt_batchnorm
from medgen_utils.benchmark import About, Result, provenance
from medgen_utils.data_augmentation import standardize_per_image
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, build, fit, flips, flips_and_turns

PRIOR = 16.0  # images that the statistics of the training are worth; fixed beforehand
STANDARDIZED, SORTED = "standardized", "Tent, by class"
METHODS = ("ERM", "statistics, all", "statistics, by 32", "Tent, by 32", SORTED, "many views", STANDARDIZED)


def adapted(
    dataset: DomainDataset,
    targets: Sequence[str],
    *,
    steps: int,
    seeds: Sequence[int],
    turns: bool = False,
    unit: str = "domain",
) -> Result:
    """One network a target and seed, trained without it by the other domains, and used in several ways there.

    A `Result` with ERM as its baseline. "statistics": of all images of the target at once, or of each batch of 32,
    with a memory worth `PRIOR` images; Tent in batches of 32, in random order or with class 0 first; "many views": the
    mean over mirrored copies. ``turns``: images have no upright, so training turns them too and there are eight views
    and not two. These ways read images of the target, without labels,
    except "many views", which reads one at a time. "standardized": a network of its own, with
    `standardize_per_image`.
    """
    start = time.perf_counter()
    tasks = [(dataset, target, turns, steps, seed) for seed in seeds for target in targets]
    frame = pd.concat(map_runs(_left_out, tasks), ignore_index=True)
    made = provenance(training_device())
    took = time.perf_counter() - start
    about = About(steps, made["versions"], made["device"], took, credit=(dataset.info,))
    return Result(frame, METHODS, about, unit=unit, sites=dataset.sites())


def _left_out(dataset: DomainDataset, target: str, turns: bool, steps: int, seed: int) -> pd.DataFrame:
    """Two trainings without the target, whose images are predicted in every way: the tidy frame."""
    train, _, _ = split(dataset.without(target), seed, (0.9, 0.1, 0.0))
    test = dataset.only(target)
    stream = test.subset(torch.randperm(len(test), generator=torch.Generator().manual_seed(seed)))
    plain, standardized = (
        build(ERM, train, seed=seed, width=16, normalize=way) for way in (None, standardize_per_image)
    )
    for model in (plain, standardized):
        fit(model, train, steps=steps, augment=flips_and_turns if turns else flips, seed=seed)
    ways = {
        "ERM": (plain, stream),
        "statistics, all": (adapt_batchnorm(plain, test.x, PRIOR), stream),
        "statistics, by 32": (ByBatch(plain, PRIOR), stream),
        "Tent, by 32": (Tent(plain), stream),
        SORTED: (Tent(plain), test.subset(torch.argsort(test.y, stable=True))),
        "many views": (ManyViews(plain, turns), stream),
        STANDARDIZED: (standardized, stream),
    }
    label = {"seed": seed, "protocol": f"leave out {target}", "batch_size": 32}
    return pd.concat(predictions_frame(p, x, name=name, **label) for name, (p, x) in ways.items())


def side_by_side(results: dict[str, Result]) -> pd.DataFrame:
    """Every way against ERM, and Tent against the statistics of the same batches, a row a data set and comparison.

    Index data, difference ("way - baseline"); columns mean over the targets, low, high (over patients and seeds),
    better (targets whose own interval lies above zero), worse, targets. Of Tent by class the baseline is Tent.
    """
    rows = []
    for data, result in results.items():
        pairs = [("ERM", way) for way in METHODS[1:] if way != SORTED]
        for baseline, way in [*pairs, ("statistics, by 32", "Tent, by 32"), ("Tent, by 32", SORTED)]:
            pair = replace(result, methods=(baseline, way))
            mean, each = pair.differences().iloc[0], pair.differences_by_domain()
            better, worse = int((each["low"] > 0).sum()), int((each["high"] < 0).sum())
            rows.append(
                [data, f"{way} - {baseline}", mean["value"], mean["low"], mean["high"], better, worse, len(each)]
            )
    columns = ["data", "difference", "mean", "low", "high", "better", "worse", "targets"]
    return pd.DataFrame(rows, columns=columns).set_index(["data", "difference"])
