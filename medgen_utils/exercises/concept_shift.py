"""The checks of the exercises concept.1 to concept.3. Chapter: concept_shift."""

import numpy as np

from medgen_utils.exercises.feedback import Asked, exercise, number, numbers


@exercise(
    "concept.1",
    first_step="write down when two graders agree, as a function of how often one is right, and solve it for that.",
    returns="one number",
    hints=(
        "Two graders agree where both are right, and where both are wrong.",
        "The equation is quadratic in the reliability; of its two roots one is the grader who is mostly right.",
    ),
)
def reliability(asked: Asked) -> str:
    for true in (0.9, 0.75, 0.5, 1.0):
        agreement = true**2 + (1 - true) ** 2
        given = number(asked(agreement))
        if np.isclose(given, true, atol=1e-6):
            continue
        if np.isclose(given, agreement):
            return "That is the agreement itself. Two graders also agree where BOTH are wrong."
        if np.isclose(given, 1 - true):
            return "That is the other root: a grader who is mostly wrong. Take the root of at least 0.5."
        return (
            f"For an agreement of {agreement:.3g}, {given:.3g} came back, but two graders of this reliability "
            f"agree in a share of {given**2 + (1 - given) ** 2:.3g}."
        )
    return "Correct."


@exercise(
    "concept.2",
    first_step="simulate votes with `concept_shift.simulate_votes`, then compare two counts of them with the truth.",
    returns="two shares: that of the majority, then that of Dawid-Skene",
    hints=(
        "`concept_shift` has `simulate_votes`, `majority_vote`, `dawid_skene`. Each grader needs a confusion matrix.",
        "`np.tile` repeats one matrix for all graders; the posterior has one column a class, and the larger one wins.",
    ),
)
def counting_votes(asked: Asked) -> str:
    by_majority, by_consensus = numbers(asked(2000, 5, 0), 2)
    if not 0.86 < by_majority < 0.93:
        return (
            f"The share of the majority, {by_majority:.2f}, is not what five graders reach who are right with "
            "probability 0.75: together they are better than one grader alone, and not perfect."
        )
    if by_consensus < 0.8:
        return "The consensus is far too low: is the class taken from the right column of the posterior?"
    if by_consensus > 0.95:
        return "The consensus is better than these votes allow: does it see the truth?"
    return "Correct: with equal graders the two are about the same. Now make one grader an expert."


@exercise(
    "concept.3",
    first_step="train with `wrong_labels.flipped`, and change what the method is told.",
    returns="the AUROC on true labels, one number",
    hints=(
        "The hospitals keep their flips; only what the method believes of them changes with the rate.",
        "`wrong_labels.flipped` takes what the method believes as `told`, and returns a row a new patient.",
    ),
)
def told(asked: Asked) -> str:
    given = number(asked(0.2))
    if not 0.5 < given <= 1:
        return f"Told the truth, an AUROC above 0.5 is expected, got {given:.2f}: which class is the score for?"
    if np.isclose(given, number(asked(0.45)), atol=1e-4):
        return "The score does not depend on the rate: does the method get it, or does it get the true one?"
    return f"Plausible: {given:.2f} when told the truth. Now try 0.05 and 0.35, with several seeds."
