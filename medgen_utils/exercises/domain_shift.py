"""The checks of the exercises shift.1 to shift.3. Chapter: domain_shift."""

import numpy as np

from medgen_utils import shifts
from medgen_utils.exercises.feedback import Asked, NotYet, described, exercise, number


@exercise(
    "shift.1",
    first_step="count the right alarms and all alarms among 1,000 patients.",
    returns="one share",
    hints=(
        "Of 1,000 patients with a prevalence of 0.1, how many sick and how many healthy ones get an alarm?",
        "The sick with an alarm are the right alarms. All alarms are these and those of the healthy.",
    ),
)
def right_alarms(asked: Asked) -> str:
    given = number(asked(0.9, 0.8, 0.1))
    if np.isclose(given, 0.9):
        return "That is the sensitivity, the share of the SICK who get an alarm. Wanted: which ALARMS are right."
    if np.isclose(given, 0.09 / 0.81):
        return "The specificity counts the healthy WITHOUT an alarm. Which share of the healthy gets one?"
    for sensitivity, specificity, prevalence in ((0.9, 0.8, 0.1), (0.7, 0.6, 0.5), (1.0, 1.0, 0.3)):
        given = number(asked(sensitivity, specificity, prevalence))
        right, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
        if not np.isclose(given, right / (right + false)):
            return (
                f"Not for sensitivity {sensitivity}, specificity {specificity} and prevalence {prevalence}, "
                f"where {given:.3g} came back: count the alarms among 1,000 patients by hand."
            )
    return "Correct."


@exercise(
    "shift.2",
    first_step="compute the statistic of the two samples, then deal the images out anew many times.",
    returns="a p-value, one number",
    hints=(
        "If both samples are from one hospital, any way of dealing the images into two heaps is as likely as yours.",
        "Reduce each image to its mean brightness first, then shuffle these numbers: one array for both samples.",
        "The p-value is the share of arrangements, yours among them, whose statistic is at least as large as yours.",
    ),
)
def permutation_test(asked: Asked) -> str:
    random = np.random.default_rng(1)
    draws = [(random.normal(size=(30, 4)), random.normal(size=(40, 4))) for _ in range(60)]

    def alarms(change_of_a: float, change_of_b: float) -> float:
        values = [number(asked(a + change_of_a, b + change_of_b, seed)) for seed, (a, b) in enumerate(draws)]
        if not all(0 <= value <= 1 for value in values):
            raise NotYet("A p-value lies between 0 and 1, and another number came back.")
        return float(np.mean(np.array(values) < 0.05))

    if number(asked(draws[0][0], draws[0][1] + 3, 0)) <= 0:
        return "A p-value of 0 claims certainty: the arrangement you observed is a possible one too, so count it."
    if alarms(0, 0) > 0.15:
        return "It alarms too often without a shift: are the images of both samples dealt out together?"
    if min(alarms(0.8, 0), alarms(0, 0.8)) < 0.5:
        return "It misses a clear shift in one direction: is the statistic the same for brighter and for darker?"
    return "Correct: few false alarms, and a clear shift is noticed in both directions."


@exercise(
    "shift.3",
    first_step="make both hospitals, see what the model gives for each, then let `shifts.diagnose` read it.",
    returns="a ShiftReport",
    hints=(
        "`seen(hospital, n, seed)` gives what diagnose reads, labels included, for patients of any hospital.",
        "The outputs at home need their labels; those of the new hospital must have none: `blind()` takes them off.",
    ),
)
def two_causes(asked: Asked) -> str:
    report = asked({"gain": 0.5}, {"prevalence": 0.1})
    if not isinstance(report, shifts.ShiftReport):
        return f"Return the whole report; {described(report)} came back."
    if "outputs within a class" in set(report.evidence["test"]):
        return "Labels of the new hospital were used: its outputs must come without them."
    if report.verdict == "no shift seen":
        return "No shift was seen, but there are two: is the changed hospital the one you predict on?"
    return f"Plausible: “{report.verdict}”, estimated prevalence {report.prevalence[1]:.2f} instead of 0.10. Why?"
