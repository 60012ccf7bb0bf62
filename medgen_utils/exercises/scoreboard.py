"""The checks of the exercises scoreboard.1 to scoreboard.3. Chapter: scoreboard."""

from dataclasses import replace

import numpy as np
import pandas as pd

from medgen_utils import benchmark
from medgen_utils.benchmark.entries import CONTENDERS, PROBLEMS, Contender
from medgen_utils.exercises.feedback import Asked, described, exercise, numbers


@exercise(
    "scoreboard.1",
    first_step="ask first how many of m intervals exclude zero on average, then how likely none does.",
    returns="two numbers: a count, then a chance",
    hints=(
        "Means add up, whether or not the comparisons are independent. Chances of at least one do not.",
        "At least one is the opposite of none, and the chance of none is a product.",
    ),
)
def winners_by_luck(asked: Asked) -> str:
    for m, level in ((20, 0.05), (3, 0.1), (50, 0.01)):
        count, chance = numbers(asked(m, level), 2)
        none = (1 - level) ** m
        if not np.isclose(count, m * level):
            return f"Of {m} comparisons at a level of {level}, {count:.3g} on average? Each adds its own chance."
        if np.isclose(chance, 1 - none):
            continue
        if np.isclose(chance, none):
            return "The second number is the chance of none at all. Asked for is its opposite."
        if chance >= 1 or np.isclose(chance, m * level):
            return "The second number is a probability, and chances of overlapping events do not add up."
        return f"The first number is right. For {m} comparisons the second, {chance:.3g}, is not the chance asked for."
    return "Correct: of boards with 20 such comparisons, two in three have a winner that is nothing."


@exercise(
    "scoreboard.2",
    first_step="leave one unit out, and see who is best on average over the others.",
    returns="a Series with one name for each left-out unit",
    hints=(
        "One round for each column: without it, the mean of each row over what is left.",
        "`drop(columns=...)` leaves a column out; a Series is made of a dictionary, unit to name.",
    ),
)
def leave_one_out(asked: Asked) -> str:
    rows = {"A": [0.9, 0.8, 0.7], "B": [0.6, 0.8, 0.7], "C": [0.6, 0.6, 0.81]}
    table = pd.DataFrame(rows, index=["x", "y", "z"])
    given = asked(table.copy())
    if not isinstance(given, pd.Series) or list(given.index) != list(table.columns):
        return "Return a Series with one entry for each left-out unit, in the order of the columns."
    if list(given) in (["z", "z", "z"], ["x", "y", "z"]):
        return "That is the winner with all units, or at the left-out unit itself: average over the others."
    if list(given) != ["z", "z", "y"]:
        return f"On a small made-up table {list(given)} came back, and not everyone of these is the best of the others."
    return "Correct: the crown moves when one hospital leaves."


@exercise(
    "scoreboard.3",
    first_step="return a Contender with a name, a family and an algorithm.",
    returns="a Contender",
    hints=(
        "A combination is enough: a contender takes an algorithm, an augmentation and a normalization at once.",
        "Every row of `medgen_utils/benchmark/entries.py` is an example.",
    ),
    by_value=True,
)
def own_row(asked: Asked) -> str:
    mine = asked()
    if not isinstance(mine, Contender):
        return f"Return a Contender, which holds the algorithm and its search space; {described(mine)} came back."
    if mine.name in {contender.name for contender in CONTENDERS}:
        return f"{mine.name!r} is already on the board: give yours a name of its own."
    if mine.sees_target:
        return "It sees the target, which is an upper bound and no remedy: leave sees_target as it is."
    tiny = replace(PROBLEMS[0], steps=3, width=4)

    def auroc(contender: Contender) -> pd.Series:
        return benchmark.run_task(benchmark.Task(tiny, contender, tiny.targets, 1, 0))["auroc"]

    if asked.run(auroc, mine).equals(auroc(replace(CONTENDERS[0], name=mine.name))):
        return "It trains to the same numbers as ERM: does anything in it change the training?"
    return "Plausible: it runs, and it is not ERM. Now put it into a sweep beside ERM."
