"""What a step of training costs, as a ratio measured in one run. Chapters: meta_learning, self_supervision."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

import pandas as pd
import torch

from medgen_utils.benchmark.comparison import contenders
from medgen_utils.benchmark.entries import SHARED_SPACE, Contender
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import threads
from medgen_utils.training import build, draw_batches


@threads(1)
def step_costs(
    methods: Sequence[str | Contender],
    dataset: DomainDataset,
    *,
    width: int = 16,
    batch_size: int = 48,
    turns: int = 25,
) -> pd.DataFrame:
    """The median time of a step on one thread of the CPU: index method; milliseconds, ratio (to the first method's).

    methods: names of `entries.CONTENDERS` or contenders of your own, at their default settings; an augmentation or a
    pretraining is no part of the step and not timed. They take turns on the same images, so that whatever else the
    machine does slows all of them alike. ValueError for an unknown method and for fewer than one turn.
    """
    if turns < 1:
        raise ValueError(f"turns={turns}: time at least one step of each")
    crew = contenders(methods)
    models = {c.name: build(c.algorithm, dataset, seed=0, width=width, hyperparameters=_own(c)) for c in crew}
    for model in models.values():
        model.to(memory_format=torch.channels_last).train().prepare()
    draws = draw_batches(dataset, batch_size, balanced=True, generator=torch.Generator().manual_seed(0))
    rows = []
    for turn, batches in enumerate(islice(draws, turns + 2)):
        for name, model in models.items():
            start = time.perf_counter()
            model.update(batches)
            rows.append([name, turn, time.perf_counter() - start])
    frame = pd.DataFrame(rows, columns=["method", "turn", "seconds"]).query("turn >= 2")  # the first ones warm up
    seconds = frame.groupby("method", sort=False)["seconds"].median()
    return pd.DataFrame({"milliseconds": 1000 * seconds, "ratio": seconds / seconds.iloc[0]})


def _own(contender: Contender) -> dict[str, float]:
    """What the algorithm itself takes of a contender's default settings."""
    elsewhere = {*SHARED_SPACE, *contender.strengths}
    return {name: value for name, value in contender.settings(0).items() if name not in elsewhere}
