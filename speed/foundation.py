"""What the foundation costs: the clinic, importing, a training step. Run ``python speed/foundation.py``.

Budgets: 10,000 clinic images a second on two cores at 28 px; importing a module of the package at most 0.5 s beyond
torch.
"""

import subprocess
import sys
import time

import joblib

from medgen_utils import clinic, training
from medgen_utils.data import split
from medgen_utils.machine import threads


def seconds(function, repeats: int = 3) -> float:
    """The shortest of a few runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def draw(seed: int, size: int, channels: int) -> int:
    return len(clinic.make_clinic(clinic.acquisition_hospitals(), 1000, seed, size=size, channels=channels))


def clinic_speed() -> None:
    with joblib.Parallel(n_jobs=2) as parallel:
        parallel(joblib.delayed(draw)(seed, 16, 1) for seed in range(2))  # start the workers
        for size in (28, 64):
            for channels in (1, 3):
                one = 4000 / seconds(lambda size=size, channels=channels: draw(0, size, channels))
                tasks = [joblib.delayed(draw)(seed, size, channels) for seed in range(2)]
                two = 8000 / seconds(lambda tasks=tasks: parallel(tasks))
                print(f"clinic {size} px, {channels} channel(s): {one:,.0f} images/s on one core, {two:,.0f} on two")


def import_cost() -> None:
    def of(statement: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", statement], check=True))

    base = of("import torch")
    for module in ("data", "training", "evaluation", "shifts", "self_supervision", "plotting"):
        print(f"import medgen_utils.{module}: {of(f'import torch, medgen_utils.{module}') - base:+.2f} s")


@threads(1)
def step_speed() -> None:
    train, _, _ = split(clinic.default_clinic(), 0)
    for width in (16, 32):
        model = training.build(training.ERM, train, seed=0, width=width)
        fitted = training.fit(model, train, steps=50, augment=training.flips)
        print(f"one training step of 48 images, width {width}, one thread: {1000 * fitted.seconds / 50:.0f} ms")


if __name__ == "__main__":
    clinic_speed()
    import_cost()
    step_speed()
