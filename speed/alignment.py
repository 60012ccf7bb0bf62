"""Update steps per second of each alignment method, as a ratio to ERM: batch 32 a domain, 3 domains, 28 pixels.

Run: OMP_NUM_THREADS=1 python speed/alignment.py [rounds]. The methods take turns in short blocks, so that a busy
machine slows all of them alike; the median over rounds is printed.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time

import torch
from torch import nn

from medgen_utils.backbones import SmallCNN
from medgen_utils.data import Batch
from medgen_utils.feature_alignment import CDANN, CORAL, DANN, IRM, MMD, ConditionalCORAL, Fishr, GroupDRO, VREx
from medgen_utils.machine import threads
from medgen_utils.training import ERM

ALGORITHMS = (ERM, CORAL, ConditionalCORAL, MMD, DANN, CDANN, IRM, VREx, GroupDRO, Fishr)
N_DOMAINS, BATCH_SIZE, IMAGE_SIZE, STEPS = 3, 32, 28, 5


def make_model(algorithm: type[ERM]) -> ERM:
    torch.manual_seed(0)
    featurizer = SmallCNN(1)
    model = algorithm(featurizer, nn.Linear(featurizer.n_features, 2), N_DOMAINS).to(memory_format=torch.channels_last)
    model.prepare()
    return model


def seconds_for_steps(model: ERM, batches: list[Batch]) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        model.update(batches)
    return time.perf_counter() - start


@threads(1)
def main(rounds: int = 15) -> None:
    torch.manual_seed(0)
    x = torch.rand(N_DOMAINS, BATCH_SIZE, 1, IMAGE_SIZE, IMAGE_SIZE)
    batches = [Batch(images, torch.arange(BATCH_SIZE) % 2, torch.full((BATCH_SIZE,), e)) for e, images in enumerate(x)]
    models = {algorithm.__name__: make_model(algorithm) for algorithm in ALGORITHMS}
    times: dict[str, list[float]] = {name: [] for name in models}
    for model in models.values():  # warm up
        seconds_for_steps(model, batches)
    for _ in range(rounds):
        for name, model in models.items():
            times[name].append(seconds_for_steps(model, batches))
    print(f"torch {torch.__version__}, 1 thread, {os.cpu_count()} cores, {platform.machine()}; {rounds} rounds")
    print(f"{'algorithm':<18}{'steps/s':>9}{'ratio to ERM':>14}")
    for name, values in times.items():
        ratio = statistics.median(erm / value for erm, value in zip(times["ERM"], values, strict=True))
        print(f"{name:<18}{STEPS / statistics.median(values):>9.1f}{ratio:>14.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
