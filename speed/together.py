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

RUNS, STEPS, IMAGES, HOSPITALS = 4, 200, 1_000_000, 20


def train(dataset: DomainDataset, seed: int) -> None:
    fit(build(ERM, dataset, seed=seed, width=16), dataset, steps=STEPS, seed=seed)


def side_by_side(dataset: DomainDataset, n_jobs: int) -> None:
    map_runs(train, [(dataset, seed) for seed in range(RUNS)], n_jobs=n_jobs)


def predictions(path: Path, images: int = IMAGES) -> None:
    """A table of a model's probabilities at twenty hospitals, two images a patient."""
    rng = np.random.default_rng(0)
    y, domain = rng.integers(0, 2, images), np.arange(images) % HOSPITALS
    probability = 1 / (1 + np.exp(-rng.normal(2 * y - 1, 1.5)))
    patient = np.arange(images) // (2 * HOSPITALS) * HOSPITALS + domain
    pd.DataFrame({"y": y, "prob_1": probability.round(4), "domain": domain, "patient": patient}).to_csv(
        path, index=False
    )


def audit(path: Path, threads: str | None) -> float:
    """The command as a user calls it, or with one thread from outside -> GB of memory at its peak."""
    free = {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    command = [sys.executable, "-m", "medgen_utils", "audit", str(path), "--prob", "prob_1", "--group", "patient"]
    command += ["--reference", "0", "--out", str(path.parent / "report")]
    named = {} if threads is None else {"OMP_NUM_THREADS": threads}
    process = subprocess.Popen(command, env=free | named, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the audit ended with {process.returncode}, see above")
    return used.ru_maxrss / 1e6


def rows(pairs: int) -> Iterator[Row]:
    dataset = make_clinic(acquisition_hospitals()[:3], n=400, seed=0)
    two, one = (partial(side_by_side, dataset, n) for n in (2, 1))
    yield compare(f"{RUNS} trainings of {STEPS} steps, two processes", "one process", two, one, pairs, clock_seconds)
    with tempfile.TemporaryDirectory() as folder:
        path, peaks = Path(folder, "predictions.csv"), []
        predictions(path)
        ours, theirs = (lambda threads=threads: peaks.append(audit(path, threads)) for threads in (None, "1"))
        row = compare("", "OMP_NUM_THREADS=1", ours, theirs, pairs, clock_seconds)
        yield row._replace(
            work=f"audit of {IMAGES:,} rows, threads left to the command, {max(peaks):.2f} GB at its peak"
        )
