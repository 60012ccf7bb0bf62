"""Is this the cause? Undo one change at the new hospital and ask the same weights again. Chapter: generalization_gap.

Only a drawn clinic can image the same patients twice, once with the suspected cause and once without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from medgen_utils.benchmark.one_source import HOME, RATES
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.clinic import Hospital, make_clinic
from medgen_utils.domains import split
from medgen_utils.evaluation import predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, Augmentation, build, fit, flips_and_turns

REFERENCE = "reference: target included"


def repair_control(
    hospitals: Sequence[Hospital],
    repaired: Hospital,
    *,
    name: str,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    n: int = 600,
    augment: Augmentation | None = flips_and_turns,
    width: int = 16,
    n_jobs: int | None = None,
) -> Result:
    """ERM of all but the last hospital, tested at the last as it is and as ``repaired``: a `Result` of three lines.

    "ERM" and ``name`` are the *same weights* on the *same patients*, so their difference is the effect of what was
    repaired. The reference trains on as many images of all hospitals, other patients of the last among them. ``n``
    patients a hospital, 70 % to train, drawn anew with each seed; in domain: new patients of the sources.
    ValueError where ``repaired`` is not called as the last hospital.
    """
    *sources, last = hospitals
    if repaired.name != last.name:
        raise ValueError(f"repaired is {repaired.name!r}, the last hospital {last.name!r}: repair that one")

    def one(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, float]:
        train, _, test = split(make_clinic(hospitals, n, seed=seed), seed, HOME)
        _, _, undone = split(make_clinic([*sources, repaired], n, seed=seed), seed, HOME)
        alone = train.without(last.name)
        share = len(alone) / len(train)
        mixed, _, _ = split(train, seed, (share, 0.0, 1 - share))
        seconds, models = 0.0, []
        for part in (alone, mixed):
            model = build(ERM, part, seed=seed, width=width)
            seconds += fit(model, part, steps=steps, augment=augment, seed=seed, **RATES).seconds
            models.append(model)
        erm, reference = models
        label = {"seed": seed, "protocol": f"leave out {last.name}"}
        there, mended = test.only(last.name), undone.only(last.name)
        trials = [(erm, there, "ERM"), (erm, mended, name), (reference, there, REFERENCE)]
        frames = [predictions_frame(model, images, name=method, **label) for model, images, method in trials]
        at_home = test.without(last.name)
        inside = [
            predictions_frame(model, at_home, name=method, split="validation", **label) for model, _, method in trials
        ]
        return pd.concat(frames), pd.concat(inside), seconds

    frames, inside, seconds = zip(*map_runs(one, [(seed,) for seed in seeds], n_jobs), strict=True)
    made = provenance(training_device())
    info = make_clinic(hospitals, 2, seed=0).info
    about = About(steps, made["versions"], made["device"], sum(seconds), credit=(info,))
    both = (pd.concat(part, ignore_index=True) for part in (frames, inside))
    test, validation = both
    return Result(test, ("ERM", name, REFERENCE), about, inside=validation)
