"""What several processes or threads do together, on the clock: run this group on a quiet machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.domains import DomainDataset
from medgen_utils.machine import map_runs
from medgen_utils.training import ERM, build, fit
from speed.pairs import Row, clock_seconds, compare

RUNS, STEPS, IMAGES = 4, 300, 200_000


def train(dataset: DomainDataset, seed: int) -> None:
    fit(build(ERM, dataset, seed=seed, width=16), dataset, steps=STEPS, seed=seed)


def side_by_side(dataset: DomainDataset, n_jobs: int) -> None:
    map_runs(train, [(dataset, seed) for seed in range(RUNS)], n_jobs=n_jobs)


def predictions(path: Path) -> None:
    """A table of two models' probabilities of ten hospitals, two images a patient."""
    rng = np.random.default_rng(0)
    y, domain = rng.integers(0, 2, IMAGES), np.arange(IMAGES) % 10
    probability = 1 / (1 + np.exp(-rng.normal(2 * y - 1, 1.5)))
    patient = np.arange(IMAGES) // 20 * 10 + domain
    pd.DataFrame({"y": y, "prob_1": probability.round(4), "domain": domain, "patient": patient}).to_csv(
        path, index=False
    )


def audit(path: Path, threads: str | None) -> None:
    """The command as a user calls it, or with one thread from outside."""
    free = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-m", "medgen_utils", "audit", str(path), "--prob", "prob_1", "--group", "patient"]
    command += ["--reference", "0", "--out", str(path.parent / "report")]
    named = {} if threads is None else {"OMP_NUM_THREADS": threads}
    subprocess.run(command, env=free | named, check=True, capture_output=True)


def rows(pairs: int) -> Iterator[Row]:
    dataset = make_clinic(acquisition_hospitals()[:3], n=400, seed=0)
    two, one = (partial(side_by_side, dataset, n) for n in (2, 1))
    yield compare(f"{RUNS} trainings of {STEPS} steps, two processes", "one process", two, one, pairs, clock_seconds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "predictions.csv")
        predictions(path)
        work = f"audit of {IMAGES:,} rows, threads left to the command"
        ours, theirs = (partial(audit, path, threads) for threads in (None, "1"))
        yield compare(work, "OMP_NUM_THREADS=1", ours, theirs, pairs, clock_seconds)
