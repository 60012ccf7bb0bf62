"""Seconds per training step of the meta-learning methods, as a ratio to ERM in the same run, on one thread.

    .venv/bin/python speed/meta_learning.py

The methods take turns, step by step, so that whatever else the machine does slows all of them alike.
"""

import time

import pandas as pd
import torch

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.machine import threads
from medgen_utils.meta_learning import MASF, MLDG, Fish
from medgen_utils.training import ERM, build, draw_batches

METHODS = {
    "ERM": (ERM, {}),
    "Fish": (Fish, {}),
    "MLDG, first order": (MLDG, {"first_order": True}),
    "MLDG, exact": (MLDG, {"first_order": False}),
    "MASF, first order": (MASF, {"first_order": True}),
    "MASF, exact": (MASF, {"first_order": False}),
}


@threads(1)
def seconds_per_step(width: int = 32, batch_size: int = 48, steps: int = 20) -> pd.DataFrame:
    """Median seconds of a step on three hospitals, and its ratio to ERM's."""
    sources = make_clinic(acquisition_hospitals(3)[:3], n=100, seed=0)
    models = {
        name: build(algorithm, sources, seed=0, width=width, hyperparameters=hyperparameters)
        for name, (algorithm, hyperparameters) in METHODS.items()
    }
    for model in models.values():
        model.to(memory_format=torch.channels_last).train().prepare()
    draws = draw_batches(sources, batch_size, balanced=True, generator=torch.Generator().manual_seed(0))
    rows = []
    for step in range(steps + 2):
        batches = next(draws)
        for name, model in models.items():
            start = time.perf_counter()
            model.update(batches)
            rows.append({"method": name, "step": step, "seconds": time.perf_counter() - start})
    frame = pd.DataFrame(rows).query("step >= 2")  # the first steps warm up
    seconds = frame.groupby("method", sort=False)["seconds"].median()
    return pd.DataFrame({"milliseconds": 1000 * seconds, "ratio": seconds / seconds["ERM"]})


if __name__ == "__main__":
    for width in (16, 32):
        print(f"width {width}\n{seconds_per_step(width).round(1)}\n")
