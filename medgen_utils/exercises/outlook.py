"""The checks of the exercises outlook.1 to outlook.3. Chapter: outlook."""

from collections.abc import Callable

import numpy as np

from medgen_utils.clinic import Hospital
from medgen_utils.exercises.feedback import Asked, described, exercise, number


@exercise(
    "outlook.1",
    first_step="write down the weight of the batch, and solve for the number of images.",
    returns="a whole number",
    hints=(
        "The weight of the batch is a share of the whole, which grows with the batch itself.",
        "Images are whole, so round up; a float may lie a hair above a whole number that it should be.",
    ),
)
def images_needed(asked: Asked) -> str:
    for memory, weight, least in ((16, 0.5, 16), (10, 0.35, 6), (0, 0.9, 0), (16, 0.9, 144)):
        given = number(asked(memory, weight))
        if given == least:
            continue
        place = f"With a memory of {memory} and a weight of {weight}, {given:g} came back"
        if given == np.ceil(weight * memory):
            return f"{place}: that compares the batch with the memory. Its weight is a share of both together."
        if given == least + 1:
            return f"{place}, and one less would do. A rounding error of floats?"
        if given < least:
            return f"{place}: the weight of so small a batch is {given / (memory + given):.3f}."
        return f"{place}, which is more than it takes."
    return "Correct."


@exercise(
    "outlook.2",
    first_step="reduce each stream to one number, then take one of these in their order.",
    returns="one number",
    hints=(
        "A stream alarms if any of its months exceeds the threshold: one number a stream is enough to know.",
        "A new stream is as likely to take any place in the order of all streams, itself included.",
        "So the place in the order is counted among one stream more than were simulated, and rounded up.",
    ),
)
def promised_threshold(asked: Asked) -> str:
    rng = np.random.default_rng(0)
    charts = rng.gamma(3.0, size=(199, 24))
    given, largest = number(asked(charts, 0.05)), np.sort(charts.max(axis=1))
    if given < largest[180]:
        return "Too low: a stream alarms if ANY of its months is above the threshold."
    if given < largest[189]:
        return "A little too low: the new stream is one more. Among how many streams does it take its place?"
    further = rng.gamma(3.0, size=(20_000, 24)).max(axis=1)
    if given > largest[189]:
        return f"Too high: it promises {(further > given).mean():.3f} false alarms, and 0.05 were allowed."
    if not np.isclose(number(asked(charts[:99], 0.1)), np.sort(charts[:99].max(axis=1))[89]):
        return "Right for 199 streams and a rate of 0.05, and not for other numbers: where do these two enter?"
    return (
        f"Correct. Of 20,000 further streams, {(further > given).mean():.3f} alarm; a single draw may differ from 0.05."
    )


@exercise(
    "outlook.3",
    first_step="return our hospital with another parameter changed.",
    returns="a Hospital",
    hints=(
        "The monitor reads outputs, and outputs depend on images only.",
        "Which parameters of a hospital change no image, and what do they change?",
    ),
    by_value=True,
)
def silent_harm(asked: Asked, watched: Callable[[Hospital], tuple[float, int | None]]) -> str:
    """``watched``: the chapter's function, hospital -> (change of the AUROC, month of the alarm or None)."""
    hospital = asked()
    if not isinstance(hospital, Hospital):
        return f"Return a hospital of the clinic; {described(hospital)} came back."
    change, alarm = watched(hospital)
    if change > -0.05:
        return f"The AUROC changes by {change:+.3f}: not enough harm yet."
    if alarm is not None:
        return f"The AUROC changes by {change:+.3f}, but the monitor alarms in month {alarm}: the outputs have changed."
    return f"Correct: the AUROC changes by {change:+.3f}, and nobody is told."
