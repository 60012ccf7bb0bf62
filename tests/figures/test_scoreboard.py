"""The figures of the scoreboard show every method and unit, where they are."""

import numpy as np
import pandas as pd
import pytest

from medgen_utils.benchmark.board import Board
from medgen_utils.benchmark.ranks import Ranks, ranks
from medgen_utils.benchmark.standings import standings
from medgen_utils.figures import scoreboard

METHODS = ["ERM", "one", "two", "three"]
UNITS = ["Cairo", "Rio de Janeiro", "Poland"]
SCORES = pd.DataFrame(
    [[0.80, 0.82, 0.79, 0.50], [0.70, 0.75, 0.69, 0.40], [0.60, 0.61, 0.62, 0.90]], index=UNITS, columns=METHODS
)
FAMILIES = {"ERM": "reference", "one": "a", "two": "b", "three": "b"}
INSIDE = {"ERM": 0.85, "one": 0.86, "two": 0.84, "three": 0.7}


def rows(trials=2) -> pd.DataFrame:
    """Runs in which the last trial is best inside, and the first one better at the target by .02."""
    found = []
    for unit in UNITS:
        for name in METHODS:
            for trial in range(trials):
                early = trials - 1 - trial
                common = ["made up", name, FAMILIES[name], unit, trial, 0, 1.0, "0.7 " * 7 + "0.71"]
                found.append([*common, "validation", "all sources", INSIDE[name] - 0.1 * early])
                found.append([*common, "test", unit, SCORES.loc[unit, name] + 0.02 * early])
    columns = [
        "problem",
        "method",
        "family",
        "left_out",
        "trial",
        "seed",
        "seconds",
        "curve",
        "split",
        "domain",
        "auroc",
    ]
    return pd.DataFrame(found, columns=columns)


def made_up() -> Board:
    table = standings(rows()).assign(primary=False, holm=np.nan)
    return Board("made up", rows(), table, (), 0.02)


BOARD = made_up()
NOTHING = Board("none", rows()[:0], pd.DataFrame(), ("one",), float("nan"))


def points(axis) -> set[tuple[float, float]]:
    dots = [line for line in axis.lines if line.get_marker() not in ("None", None, "")]
    pairs = [zip(line.get_xdata(), line.get_ydata(), strict=True) for line in dots]
    return {(round(float(x), 6), round(float(y), 6)) for pair in pairs for x, y in pair}


def test_every_difference_is_a_point_and_what_lies_outside_an_arrow_at_the_edge():
    assert scoreboard.gains(NOTHING) is None
    axis = scoreboard.gains(BOARD).axes[0]
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
    assert np.allclose(np.subtract(y, x), SCORES["ERM"].mean() - INSIDE["ERM"])
    drawn = np.concatenate([dots.get_offsets() for dots in axis.collections])
    assert sorted(map(tuple, drawn.round(6))) == sorted((INSIDE[m], round(SCORES[m].mean(), 6)) for m in METHODS)


@pytest.mark.parametrize("result", [ranks(SCORES), Ranks(pd.Series({"a": 1.0, "b": 2.0}), 0.1, 0.01, 9)])
def test_ranks_stand_best_first_with_a_bar_a_group(result):
    axis = scoreboard.critical_difference(result).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == list(result.mean.index)
    assert list(axis.lines[0].get_xdata()) == list(result.mean)
    assert len(axis.lines) == 2 + len(result.groups())


def test_the_table_holds_every_method_once_with_its_numbers():
    frame = scoreboard.page(BOARD).frame.set_index("method")
    assert set(frame.index) == set(METHODS)
    assert frame["unseen"].to_dict() == pytest.approx(SCORES.mean().to_dict())
    assert frame.loc["three", "better at"] == "1 of 3" and frame.loc["three", "lowest at"] == "Rio de Janeiro"
    assert np.isnan(frame.loc["ERM", "minus ERM"]) and frame.loc["one", "time"] == 1


def test_nothing_beats_a_lead_far_beyond_luck_and_half_of_it_beats_none():
    none = BOARD._replace(luck=1e-6)
    assert scoreboard.beat(none, 28) == 0
    assert scoreboard.beat(BOARD._replace(luck=10.0), 1) == pytest.approx(0.5, abs=0.03)
    axis = scoreboard.best_of_nothings(BOARD, 3).axes[0]
    assert axis.lines[-1].get_xdata()[0] == pytest.approx(BOARD.remedies["difference"].max())


def test_the_oracle_takes_the_trial_that_is_best_at_the_target():
    frame = scoreboard.by_rule(BOARD)
    np.testing.assert_allclose(frame["oracle"] - frame["training-domain validation"], 0.02)
    np.testing.assert_allclose(frame["by lot"] - frame["training-domain validation"], 0.01)
    axis = scoreboard.rules(BOARD).axes[0]
    assert [line.get_label() for line in axis.lines[:3]] == [
        "training-domain validation", "oracle (cheating)", "by lot (mean of all)",
    ]  # fmt: skip
    assert sorted(axis.lines[0].get_xdata()) == pytest.approx(sorted(SCORES.mean()))


def test_published_differences_are_points_with_names():
    both = pd.DataFrame({"theirs": [0.9, -1.0, 0.0], "ours": [1.2, 0.1, 0.0]}, index=["CORAL", "DANN", "mixup"])
    (axis,) = scoreboard.published(both).axes
    assert [text.get_text() for text in axis.texts] == ["CORAL", "DANN", "mixup"]
    assert list(axis.lines[-1].get_xdata()) == [0.9, -1.0, 0.0]
    assert scoreboard.published(both.iloc[:2]) is None


def test_two_intervals_draw_both_bars_of_every_method_where_they_are():
    table = pd.DataFrame(
        {
            "difference": [0.02, 0.01], "low": [0.0, -0.02], "high": [0.04, 0.04], "units": 6, "sites": 4,
            "nested_difference": [0.015, 0.0], "nested_low": [-0.03, -0.05], "nested_high": [0.06, 0.05],
        },
        index=["one", "two"],
    )  # fmt: skip
    axis = scoreboard.two_intervals(table).axes[0]
    drawn = {tuple(np.round(path[:, 0], 6)) for lines in axis.collections for path in lines.get_segments()}
    assert {(0.0, 0.04), (-0.02, 0.04), (-0.03, 0.06), (-0.05, 0.05)} <= drawn
    assert {x for x, _ in points(axis)} == {0.02, 0.01, 0.015, 0.0}
    assert {text.get_text() for text in axis.get_legend().get_texts()} == {
        "6 units, each once", "4 sites, mixed model",
    }  # fmt: skip


def test_predictions_show_what_was_predicted_and_what_came():
    table = pd.DataFrame(
        [["shortcut", "a", "gain", 0.05, 0.01, 0.09, "borne out"],
         ["shortcut", "b", "gain", 0.0, -0.01, 0.005, "refuted"],
         ["graders", "c", "no gain", 0.0, -0.03, 0.03, "open"]],
        columns=["shift", "method", "predicted", "value", "low", "high", "verdict"],
    )  # fmt: skip
    axis = scoreboard.predictions(table).axes[0]
    dots = [line for line in axis.lines if len(line.get_xdata()) == 1 and line.get_marker() in "^ov"]
    assert [(dot.get_marker(), dot.get_xdata()[0]) for dot in dots] == [("^", 0.05), ("^", 0.0), ("o", 0.0)]
    assert len({dot.get_color() for dot in dots}) == 3
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["shortcut: a", "shortcut: b", "graders: c"]
    assert scoreboard.predictions(table[:0]) is None


def test_two_intervals_of_nothing_are_no_figure():
    assert scoreboard.two_intervals(pd.DataFrame()) is None


def test_a_family_that_the_correction_leaves_is_framed_and_a_missing_one_is_empty():
    table = pd.DataFrame(
        [["clinic: one", "a", 0.1, 0.01], ["clinic: one", "b", -0.2, 0.3], ["clinic: two", "a", 0.004, 0.9]],
        columns=["problem", "family", "difference", "holm"],
    )
    axis = scoreboard.families(table).axes[0]
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["one", "two"]
    assert [text.get_text() for text in axis.texts] == ["+10", "0", "-20"]
    assert len(axis.patches) == 1 and axis.patches[0].get_x() < 0 and axis.patches[0].get_y() < 0
    assert scoreboard.families(table[:0]) is None


def test_scanners_of_one_hospital_are_named_without_it():
    renamed = rows().replace({unit: f"Rio: {unit}" for unit in UNITS})
    board = BOARD._replace(rows=renamed, table=standings(renamed).assign(primary=False, holm=np.nan))
    legend = scoreboard.gains(board).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == sorted(UNITS)
    legend = scoreboard.gains(BOARD).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == sorted(UNITS)
