"""The checks of the exercises gap.1 to gap.3. Chapter: generalization_gap."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medgen_utils.clinic import Hospital
from medgen_utils.exercises.feedback import Asked, described, exercise, number, numbers


@exercise(
    "gap.1",
    first_step="find for each training hospital how bad its worst test hospital is.",
    returns="the name of a hospital",
    hints=(
        "First one number for each training hospital, then the best of these numbers. What is wanted is its name.",
        "`groupby` makes a group of each training hospital. A Series can give the label of its largest value.",
    ),
)
def worst_case(asked: Asked) -> str:
    value = {"algorithm": list("aabb"), "domain": list("xyxy"), "value": [0.9, 0.5, 0.7, 0.6]}
    given = asked(pd.DataFrame(value))
    if not isinstance(given, str):
        return f"Return the name of the hospital; {described(given)} came back."
    if given == "a":
        return "This is the hospital with the best single cell or the best mean. Take the minimum of each row first."
    if given != "b" or asked(pd.DataFrame(value | {"value": [0.7, 0.6, 0.9, 0.5]})) != "a":
        return f"On a small made-up matrix this gives {given!r}, which is not the training hospital asked for."
    return "Correct."


@exercise(
    "gap.2",
    first_step="compute two intervals of the same AUROC, one that knows the patients and one that does not.",
    returns="two numbers",
    hints=(
        "The bootstrap draws images unless it is told which images belong together.",
        "The interval has the attributes `low` and `high`; the patients belong in `groups=` of one of the two calls.",
    ),
)
def widths(asked: Asked) -> str:
    y, score, patient = np.tile([0, 1], 60), np.random.default_rng(0).random(120), np.arange(120).astype(str)
    by_patient, by_image = numbers(asked(*(np.repeat(values, 4) for values in (y, score, patient))), 2)
    if np.isclose(by_patient, by_image):
        return "Both widths are the same, as if the two calls knew the same: only one of them may know the patients."
    if min(by_patient, by_image) <= 0:
        return "A width is above 0: take the upper end minus the lower end."
    if by_patient < by_image:
        return "The patients' interval must be the wider one here: four copies of an image are one patient. Swapped?"
    if not 1.5 < by_patient / by_image < 2.7:
        return "With four copies of each image the two widths should differ by a factor of about two, and do not."
    return "Correct: four copies of each image made the naive interval about half as wide as it should be."


@exercise(
    "gap.3",
    first_step="make a hospital with one parameter changed, then let the model predict on its patients.",
    returns="the AUROC, one number",
    hints=(
        "A hospital's method `changed` gives a copy with changes; make the images of the copy with `make_clinic`.",
        "Two stars turn a dictionary into keyword arguments, so the name of a parameter can stand in a variable.",
    ),
)
def one_change(asked: Asked, hospitals: Sequence[Hospital]) -> str:
    unchanged = number(asked("gain", hospitals[0].gain))
    if not 0 <= unchanged <= 1:
        return f"An AUROC lies between 0 and 1; {unchanged:.2f} came back."
    if unchanged < 0.5:
        return f"Without any change the model scores {unchanged:.2f}: give the score the probability of class 1."
    if unchanged - number(asked("gain", 0.3)) < 0.02:
        return "A gain of 0.3 costs nothing: is the changed hospital the one you predict on?"
    return "Plausible: high without a change, lower at a gain of 0.3. Now try the other parameters."
