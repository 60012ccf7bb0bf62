"""The checks of the exercises evaluation.1 to evaluation.3. Chapter: evaluation_protocols."""

import math

import numpy as np

from medgen_utils.exercises.feedback import Asked, described, exercise, number


@exercise(
    "evaluation.1",
    first_step="write down the inequality of the task and solve it for k.",
    returns="a whole number",
    hints=(
        "Square both sides, so that k stands alone on one side.",
        "The smallest whole number that is strictly larger than the bound: mind the case where the bound is whole.",
    ),
)
def seeds(asked: Asked) -> str:
    for sd, margin in ((0.02, 0.02), (0.01, 0.02), (0.03, 0.01)):
        given, bound = number(asked(sd, margin)), (1.96 * sd / margin) ** 2
        if given == np.floor(2 * bound) + 1:
            continue
        if given in (np.floor(bound), np.ceil(bound)):
            return "Close: the difference of two means has the variance of both of them. Does yours?"
        if given == np.floor(2 * bound) or not given.is_integer():
            return "Close: k is a whole number, and the margin must be kept: round up."
        return (
            f"For a standard deviation of {sd} and a margin of {margin}, {given:g} came back: put it into the formula."
        )
    return "Correct: eight seeds a side for a margin of one standard deviation."


@exercise(
    "evaluation.2",
    first_step="draw patients, not images, then mark all images of those drawn.",
    returns="one True or False an image",
    hints=(
        "First the list of the patients, each once; the share is a share of these.",
        "`numpy` has a function for the different values of an array, and one that says which entries are in a list.",
    ),
)
def patients_stay_whole(asked: Asked) -> str:
    patient = np.random.default_rng(0).integers(0, 600, 1500).astype(str)
    mask = np.asarray(asked(patient, 0.3, 0))
    if mask.dtype != bool or mask.shape != patient.shape:
        return f"Return one True or False an image, {len(patient)} in all; {described(mask)} came back."
    if both := len(set(patient[mask]) & set(patient[~mask])):
        return f"{both} patients are on both sides: draw from the set of patients."
    if not 0.25 < mask.mean() < 0.35:
        return f"{mask.mean():.0%} of the images are in the test part: aim for 30 %."
    if np.array_equal(mask, asked(patient, 0.3, 1)):
        return "Another seed gives the same split: does it reach the random generator?"
    if not np.array_equal(mask, asked(patient, 0.3, 0)):
        return "The same seed gives another split: does every draw come from your generator?"
    return "Correct: no patient is on both sides."


@exercise(
    "evaluation.3",
    first_step="list the plans that the budget allows, then take the one with the best chance.",
    returns="two whole numbers, hospitals and patients at each",
    hints=(
        "A plan with h hospitals spends h times the price of a hospital; what is left is for patients.",
        "For every number of hospitals there is one best number of patients: all that the budget leaves.",
    ),
)
def spent_budget(asked: Asked) -> str:
    def chance(hospitals: float, patients: float) -> float:
        return math.exp(-(0.05 + 6 / max(patients, 1)) * 40 / max(hospitals, 1))

    for budget, cost in ((3000, 100), (3000, 10), (5000, 400)):
        given = asked(chance, budget, cost)
        if not isinstance(given, tuple | list) or len(given) != 2:
            return f"Return two numbers, hospitals and patients at each; {described(given)} came back."
        hospitals, patients = (number(value) for value in given)
        if not hospitals.is_integer() or not patients.is_integer() or hospitals < 2 or patients < 10:
            return f"A plan of {hospitals:g} hospitals with {patients:g} patients cannot be carried out: see the task."
        if hospitals * (patients + cost) > budget:
            return (
                f"{hospitals:g} hospitals with {patients:g} patients are beyond the budget: does each have its price?"
            )
        plans = [(h, budget // h - cost) for h in range(2, budget // (cost + 10) + 1)]
        best = max(chance(*plan) for plan in plans)
        if chance(hospitals, patients) < best - 1e-9:
            same = max(chance(hospitals, budget // int(hospitals) - cost), 0)
            if same >= best - 1e-9:
                return "The number of hospitals is right, and some of the budget is left: who could it pay for?"
            return "Within the budget, and another number of hospitals has a better chance: did you try them all?"
    return "Correct. Where a hospital is cheap, buy hospitals."
