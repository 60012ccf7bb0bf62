"""The checks of the exercises evaluation.1 to evaluation.3. Chapter: evaluation_protocols."""

import numpy as np
import pandas as pd

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
    first_step="find the threshold among the malignant lesions of the home hospital.",
    returns="a Series with one sensitivity a hospital",
    hints=(
        "A sensitivity is a share of the malignant lesions, so benign ones play no part in it.",
        "A sensitivity of 0.9 leaves a tenth of the malignant lesions below the threshold: that is a quantile.",
    ),
)
def travelling_threshold(asked: Asked) -> str:
    home = "home (internal)"
    frame = pd.DataFrame({"hospital": np.repeat([home, "B", "C"], 300), "malignant": np.tile([1, 0, 0], 300)})
    noise = 0.1 * np.random.default_rng(0).normal(size=len(frame))
    shift = frame["hospital"].map({home: 0.0, "B": -0.1, "C": 0.1})
    frame["erm"] = (0.4 + 0.3 * frame["malignant"] + shift + noise).clip(0, 1)
    found = asked(frame, home, 0.9)
    if not isinstance(found, pd.Series) or set(found.index) != set(frame["hospital"]):
        return f"Return a Series with one value for each hospital; {described(found)} came back."
    if not np.isclose(number(found[home]), 0.9, atol=0.02):
        return f"At home it must be 0.9, got {found[home]:.2f}: use malignant lesions only."
    if np.allclose(found, 0.9, atol=0.005):
        return "0.9 everywhere: that is a threshold of each hospital's own. Carry the one from home."
    if not found["B"] < 0.8 or not found["C"] > 0.95:
        return "Where all probabilities are lower, the sensitivity must fall: is it a share of the malignant lesions?"
    return "Plausible. Now apply it to `predictions`: at which hospital would you not use this threshold?"
