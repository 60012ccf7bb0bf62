"""What a change of prevalence moves, what it leaves, and how well it is estimated. Chapter: domain_shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medgen_utils.clinic import make_clinic
from medgen_utils.evaluation import auroc, expected_calibration_error
from medgen_utils.hospital import Hospital
from medgen_utils.shifts.diagnosis import Outputs, estimate_label_shift, outputs_of, prior_correction
from medgen_utils.training import ERM

NUMBERS = ("AUROC", "sensitivity", "specificity", "right alarms", "calibration error")


def hospital_numbers(y: np.ndarray, prob: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """What a hospital would report of labels y (n,) and probabilities prob (n, 2): the entries of `NUMBERS`.

    An alarm is a probability of class 1, the disease, above ``threshold``; "right alarms" is the share of alarms that
    are right (positive predictive value), NaN without any alarm. Chapter: domain_shift.
    """
    called, score = prob[:, 1] > threshold, prob[:, 1]
    right = float(y[called].mean()) if called.any() else np.nan
    error = expected_calibration_error(score, y == 1)
    values = auroc(y, prob), float(called[y == 1].mean()), float((~called[y == 0]).mean()), right, error
    return dict(zip(NUMBERS, values, strict=True))


def over_prevalences(
    model: ERM,
    home: Hospital,
    prevalences: Sequence[float],
    *,
    trained_for: Sequence[float] = (0.5, 0.5),
    n: int = 1500,
    repeats: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """A home model where the disease has another prevalence and nothing else differs: a row a prevalence and repeat.

    Columns prevalence, repeat, those of `NUMBERS`, "estimated" (the prevalence, without labels) and "corrected error"
    (the calibration error after correcting with that estimate). Every row has n patients of its own at home, from whom
    sensitivity and false alarms are measured, and n others at the new prevalence: so the errors of the estimates are
    independent. ``trained_for``: the class shares of the training batches. Chapter: domain_shift.
    """
    rows = []
    for number, (prevalence, repeat) in enumerate((p, r) for p in prevalences for r in range(repeats)):
        at_home = make_clinic([home], n, seed=seed + 2 * number)
        there = make_clinic([replace(home, prevalence=prevalence)], n, seed=seed + 2 * number + 1)
        rows.append(
            {"prevalence": prevalence, "repeat": repeat}
            | _row(outputs_of(model, at_home), outputs_of(model, there), trained_for)
        )
    return pd.DataFrame(rows)


def _row(home: Outputs, there: Outputs, trained_for: Sequence[float]) -> dict[str, float]:
    share = estimate_label_shift(home.y, home.prob.argmax(1), there.prob.argmax(1), 0, n_resamples=0).prevalence
    corrected = prior_correction(there.prob, trained_for, share)
    after = expected_calibration_error(corrected[:, 1], there.y == 1)
    return hospital_numbers(there.y, there.prob) | {"estimated": float(share[1]), "corrected error": after}


def interval_coverage(
    sensitivity: float, false_alarm: float, prevalence: float, n: int = 400, draws: int = 500
) -> float:
    """How often the 95 % interval of `estimate_label_shift` holds the true prevalence when its assumption is true.

    Invented calls of n patients at home (half of them sick) and n at the new hospital, with the same sensitivity and
    share of false alarms at both: the share of ``draws`` whose interval holds the prevalence. Chapter: domain_shift.
    """
    held = 0
    for seed in range(draws):
        random = np.random.default_rng(seed)
        labels = [(random.random(n) < share).astype(int) for share in (0.5, prevalence)]
        called = [(random.random(n) < np.where(y, sensitivity, false_alarm)).astype(int) for y in labels]
        share = estimate_label_shift(labels[0], *called, seed, n_resamples=200)
        held += share.low[1] <= prevalence <= share.high[1]
    return held / draws
