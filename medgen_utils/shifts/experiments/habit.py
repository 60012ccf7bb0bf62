"""The shortcut that pays inside and costs outside, in miniature (after Zech et al. 2018). Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medgen_utils.clinic import NEW_HOSPITAL, habit_hospitals, make_clinic
from medgen_utils.domains import split
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.hospital import Hospital
from medgen_utils.machine import map_runs
from medgen_utils.training import ERM, build, fit, flips_and_turns

SETTINGS = {
    "marker, equal prevalence": (False, True),
    "no marker, unequal prevalence": (True, False),
    "marker, unequal prevalence": (True, True),
}
"""What is compared: setting -> (whether the prevalence is tied to the hospital, whether hospital A marks)."""


def hospitals_of(tied: bool, marker: bool, irregularity: float = 0.1) -> list[Hospital]:
    """`clinic.habit_hospitals`, with the prevalence 0.5 everywhere unless ``tied``, and no marks unless ``marker``."""
    hospitals = habit_hospitals(irregularity)
    if not tied:
        hospitals = [replace(hospital, prevalence=0.5) for hospital in hospitals]
    if not marker:
        hospitals = [replace(hospital, marker_if_benign=0.0, marker_if_malignant=0.0) for hospital in hospitals]
    return list(hospitals)


def hospital_habit(seeds: Sequence[int], steps: int, n: int = 800) -> pd.DataFrame:
    """AUROC inside (held-out patients of the pooled sources) and outside, for each of `SETTINGS` and seed.

    Columns setting, where ("inside", "outside", "naming the hospital alone"), seed, value. The last is what a model
    that knows the hospital of an inside patient and nothing else would score. Batches are as frequent in class as the
    data, or there would be no habit to learn. Chapter: domain_shift.
    """
    tasks = [(setting, seed, steps, n) for setting in SETTINGS for seed in seeds]
    return pd.concat(map_runs(_one, tasks), ignore_index=True)


def _one(setting: str, seed: int, steps: int, n: int) -> pd.DataFrame:
    hospitals = hospitals_of(*SETTINGS[setting])
    images = make_clinic(hospitals, n, seed=seed)
    train, _, inside = split(images.without(NEW_HOSPITAL), seed, (0.7, 0.0, 0.3))
    model = build(ERM, train, seed=seed, width=16)
    fit(model, train, steps=steps, seed=seed, balanced=False, augment=flips_and_turns)
    parts = {"inside": inside, "outside": images.only(NEW_HOSPITAL)}
    scores = {name: auroc(part.y.numpy(), predict_probabilities(model, part.x)) for name, part in parts.items()}
    prevalence = np.array([hospital.prevalence for hospital in hospitals])[inside.domain.numpy()]
    scores["naming the hospital alone"] = auroc(inside.y.numpy(), prevalence)
    return pd.DataFrame({"setting": setting, "where": scores.keys(), "seed": seed, "value": scores.values()})
