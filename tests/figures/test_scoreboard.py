"""The figures of the scoreboard show every method and unit, where they are."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark.ranks import Ranks, ranks
from medgen_utils.figures import scoreboard

METHODS = ["ERM", "one", "two", "three"]
UNITS = ["Cairo", "Rio de Janeiro", "Poland"]
SCORES = pd.DataFrame(
    [[0.80, 0.82, 0.79, 0.50], [0.70, 0.75, 0.69, 0.40], [0.60, 0.61, 0.62, 0.90]], index=UNITS, columns=METHODS
)
FAMILIES = pd.Series({"one": "a", "two": "b", "three": "b"})
BOARD = pd.DataFrame({
    "method": METHODS, "family": ["reference", "a", "b", "b"], "value": SCORES.mean().to_numpy(),
    "in_domain": [0.85, 0.86, 0.84, 0.7],
})  # fmt: skip


def points(axis) -> set[tuple[float, float]]:
    dots = [line for line in axis.lines if line.get_marker() not in ("None", None, "")]
    pairs = [zip(line.get_xdata(), line.get_ydata(), strict=True) for line in dots]
    return {(round(float(x), 6), round(float(y), 6)) for pair in pairs for x, y in pair}


def test_every_difference_is_a_point_and_what_lies_outside_an_arrow_at_the_edge():
    axis = scoreboard.gains(SCORES, FAMILIES).axes[0]
    rows = [label.get_text() for label in axis.get_yticklabels()]
    assert rows[0] == "one" and set(rows) == {"one", "two", "three"}
    shown = points(axis)
    for name in ("one", "two"):
        for unit in UNITS:
            assert (round(SCORES.loc[unit, name] - SCORES.loc[unit, "ERM"], 6), rows.index(name)) in shown
    arrows = [line for line in axis.lines if line.get_marker() in ("<", ">")]
    assert sorted(float(line.get_xdata()[0]) for line in arrows) == [-0.1, -0.1, 0.1]


def test_the_dashed_line_goes_through_the_baseline_with_slope_one():
    axis = scoreboard.target_against_in_domain(BOARD).axes[0]
    x, y = axis.lines[0].get_data()
    assert np.allclose(np.subtract(y, x), BOARD["value"][0] - BOARD["in_domain"][0])
    drawn = np.concatenate([dots.get_offsets() for dots in axis.collections])
    assert sorted(map(tuple, drawn.round(6))) == sorted(zip(BOARD["in_domain"], BOARD["value"].round(6), strict=True))


@pytest.mark.parametrize("result", [ranks(SCORES), Ranks(pd.Series({"a": 1.0, "b": 2.0}), 0.1, 0.01, 9)])
def test_ranks_stand_best_first_with_a_bar_a_group(result):
    axis = scoreboard.critical_difference(result).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(result.mean.index)
    assert list(axis.lines[0].get_xdata()) == list(result.mean)
    assert len(axis.lines) == 2 + len(result.groups())
