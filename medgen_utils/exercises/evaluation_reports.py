"""The checks of the exercises reports.1 to reports.3. Chapter: evaluation_reports."""

import numpy as np
import pandas as pd

from medgen_utils.exercises.feedback import Asked, described, exercise, number


@exercise(
    "reports.1",
    first_step="of all patients, which share gives a right alarm and which a false one?",
    returns="one number",
    hints=(
        "A right alarm needs a patient who is sick and found: multiply two shares.",
        "A false alarm needs a patient who is healthy and not left alone.",
    ),
)
def value_of_an_alarm(asked: Asked) -> str:
    for se, sp, share in ((0.9, 0.8, 0.1), (0.7, 0.95, 0.02), (0.8, 0.6, 0.5)):
        given, right, false = number(asked(se, sp, share)), se * share, (1 - sp) * (1 - share)
        if abs(given - right / (right + false)) < 1e-9:
            continue
        if abs(given - se) < 1e-9:
            return "This is the share of the sick who are found. Asked is the share of the alarms that are right."
        if abs(given - se / (se + 1 - sp)) < 1e-9:
            return "This holds where there are as many healthy as sick. Where does the prevalence come in?"
        return f"For {se}, {sp} and a prevalence of {share}, {given:.3f} came back: which patients give alarms?"
    return "Correct: the rarer the disease, the more alarms are false, at the same sensitivity and specificity."


@exercise(
    "reports.2",
    first_step="how many sick patients make 1.96 standard errors of a share as small as the margin?",
    returns="a whole number",
    hints=(
        "The standard error of a share s of m patients is the root of s (1 - s) / m.",
        "A sensitivity is a share of the sick, and only a part of the patients is sick.",
    ),
)
def patients_for_a_margin(asked: Asked) -> str:
    for se, margin, share in ((0.9, 0.05, 0.3), (0.8, 0.1, 0.02), (0.95, 0.03, 0.11)):
        given, sick = number(asked(se, margin, share)), se * (1 - se) * (1.96 / margin) ** 2
        if given == np.ceil(sick / share):
            continue
        if given in (np.ceil(sick), np.floor(sick)):
            return "These are only the sick. How many patients must come until there are so many of them?"
        if given == np.floor(sick / share) or not given.is_integer():
            return "Close: patients are whole, and the margin must be kept: round up."
        if given == np.ceil(sick / share / 1.96**2):
            return "Close: how many standard errors does the interval reach to either side?"
        return f"For a sensitivity of {se}, a margin of {margin} and a prevalence of {share}, {given:g} came back."
    return "Correct. Where the disease is rare, a sensitivity takes very many patients."


@exercise(
    "reports.3",
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
    frame["plain"] = (0.4 + 0.3 * frame["malignant"] + shift + noise).clip(0, 1)
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
