"""How many hospitals, patients and seeds it takes to see a difference. Chapters: evaluation_protocols, plan.

A study measures a difference in AUROC at each of H hospitals and tests its mean with the hospitals as units (Student's
t). At one hospital the measured difference varies around the mean of all hospitals by

    site**2 + seed**2 / seeds + patients,

what hospitals differ by, the luck of training, and the luck of which patients came, which more patients make smaller.
No number of patients makes the first part smaller: only hospitals do.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

QUESTIONS = ("gap", "method")
MOST_HOSPITALS = 200


class Spread(NamedTuple):
    """What a measured difference varies by, as standard deviations in AUROC.

    site: between hospitals; seed: between seeds at a hospital, of the difference; correlation: between the AUROCs of
    two models on the same patients, in [0, 1) (of no use for a gap, whose two scores are of other patients).
    """

    site: float
    seed: float
    correlation: float = 0.0


def auroc_variance(auroc: float, cases: float, controls: float) -> float:
    """Variance of an AUROC over other patients (Hanley & McNeil 1982), one image a patient.

    auroc in (0, 1); cases and controls, numbers of patients of class 1 and 0, at least 1 each (ValueError). Their
    formula takes scores that are distributed exponentially; with the normal ones of a network it is near.
    """
    if not 0 < auroc < 1:
        raise ValueError(f"auroc={auroc}: a variance over patients needs a score between 0 and 1")
    if cases < 1 or controls < 1:
        raise ValueError(f"{cases:g} cases and {controls:g} controls: an AUROC needs both")
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    total = auroc * (1 - auroc) + (cases - 1) * (q1 - auroc**2) + (controls - 1) * (q2 - auroc**2)
    return total / (cases * controls)


def variance_at_a_hospital(
    question: Literal["gap", "method"],
    effect: float,
    patients: float,
    seeds: int,
    spread: Spread,
    *,
    auroc: float = 0.8,
    prevalence: float = 0.3,
) -> dict[str, float]:
    """The three parts of the variance of the difference that is measured at one hospital: site, seed, patients.

    question "gap": the score inside (auroc + effect) minus the score at the hospital (auroc), each of ``patients``
    patients of its own. "method": two models of auroc and auroc + effect on the same ``patients`` patients.
    ValueError for a question, number of patients or seeds, or a score that cannot be.
    """
    if question not in QUESTIONS:
        raise ValueError(f"question={question!r}: use one of {QUESTIONS}")
    if seeds < 1:
        raise ValueError(f"seeds={seeds}: a network is trained at least once")
    cases = patients * prevalence
    low, high = (auroc_variance(value, cases, patients - cases) for value in (auroc, auroc + effect))
    rho = spread.correlation if question == "method" else 0.0
    over_patients = low + high - 2 * rho * np.sqrt(low * high)
    return {"site": spread.site**2, "seed": spread.seed**2 / seeds, "patients": float(over_patients)}


def power(
    question: Literal["gap", "method"],
    effect: float,
    hospitals: int,
    patients: float,
    seeds: int,
    spread: Spread,
    *,
    auroc: float = 0.8,
    prevalence: float = 0.3,
    level: float = 0.95,
) -> float:
    """Chance that the mean difference over ``hospitals`` differs from zero at this level (two-sided t test).

    effect: the mean difference over all hospitals of the kind, in AUROC, > 0; other arguments as
    `variance_at_a_hospital` takes them. In [1 - level, 1). ValueError with fewer than two hospitals: one says nothing
    about others, however many its patients.
    """
    if hospitals < 2:
        raise ValueError(f"hospitals={hospitals}: a statement about other hospitals needs at least 2 as units")
    parts = variance_at_a_hospital(
        question, effect, patients, seeds, spread, auroc=auroc, prevalence=prevalence
    )  # fmt: skip
    shift = effect / np.sqrt(sum(parts.values()) / hospitals)
    bound = stats.t.ppf(0.5 + level / 2, hospitals - 1)
    below = np.nan_to_num(stats.nct.cdf(-bound, hospitals - 1, shift))  # scipy loses it where it is far below 1e-100
    return float(min(stats.nct.sf(bound, hospitals - 1, shift) + below, 1.0))


def hospitals_needed(
    question: Literal["gap", "method"],
    effect: float,
    patients: float,
    seeds: int,
    spread: Spread,
    *,
    chance: float = 0.8,
    **options: float,
) -> int | None:
    """The fewest hospitals with which `power` reaches ``chance``; None where `MOST_HOSPITALS` do not."""
    for hospitals in range(2, MOST_HOSPITALS + 1):
        if power(question, effect, hospitals, patients, seeds, spread, **options) >= chance:
            return hospitals
    return None
