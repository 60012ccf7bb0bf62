import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from medgen_utils.benchmark import About
from medgen_utils.clinic import make_clinic
from medgen_utils.evaluation.power import Spread, hospitals_needed, power
from medgen_utils.figures import evaluation_protocols as draw
from medgen_utils.selection import find_leakage
from tests.benchmark.small import HOSPITALS
from tests.benchmark.test_duels import frame

ABOUT = About(10, "torch 2", "cpu", 1.0)
SPREAD = Spread(0.05, 0.02)


def test_a_sheet_has_a_row_a_hospital_and_both_classes():
    clinic = make_clinic(HOSPITALS, 20, seed=0)
    figure = draw.sheet(clinic, each=2)
    assert len(figure.axes) == 4 * len(HOSPITALS)
    assert [axis.get_title() for axis in figure.axes[:4]] == ["malignant", "", "benign", ""]


def test_a_panel_a_pool_and_a_line_a_habit():
    rows = [[pool, k, habit, 0.1 * k] for pool in "AB" for k in (1, 3) for habit in ("x", "y")]
    alarms = pd.DataFrame(rows, columns=["pool", "seeds", "habit", "share"])
    axes = draw.false_wins(alarms, ABOUT, 8).axes
    assert [axis.get_title() for axis in axes] == ["A", "B"]
    assert axes[0].lines[0].get_ydata().tolist() == pytest.approx([0.1, 0.3])
    assert axes[0].lines[-1].get_ydata()[0] == 0.05


def test_a_promise_is_the_mean_over_the_hospitals_it_tested():
    both = pd.concat([frame(seeds=2), frame(seeds=2, domain="B").assign(prob_1=0.5, prob_0=0.5)])
    table = draw.promised({"one": frame(seeds=2), "two": both}).set_index("protocol")["value"]
    assert table["two"] == pytest.approx((table["one"] + 0.5) / 2)
    figure = draw.promises(table.reset_index().assign(low=0.4, high=0.9), ABOUT, 2)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["one", "two"]


def test_bars_are_as_long_as_the_parts():
    axis = draw.lotteries({"patients": 0.01, "hospital": 0.04}, ABOUT, 3).axes[0]
    assert [bar.get_width() for bar in axis.patches] == [0.01, 0.04] and axis.yaxis_inverted()


def test_the_table_counts_the_fewest_hospitals_and_says_where_none_will_do():
    table = draw.needed(SPREAD, (0.02, 0.9), (50, 1000), effect=0.05)
    assert table.loc[1000, "0.020"] == hospitals_needed("gap", 0.05, 1000, 3, Spread(0.02, 0.02), chance=draw.GOAL)
    assert (table["0.900"] == "> 200").all() and table.loc[50, "0.020"] > table.loc[1000, "0.020"]


def test_the_curves_are_the_power():
    axis = draw.study_sizes(SPREAD, 0.05, (50, 200)).axes[0]
    lines = [line for line in axis.lines if len(line.get_xdata()) > 2]
    assert [line.get_label() for line in lines] == ["50 patients each", "200 patients each"]
    assert lines[1].get_ydata()[3] == power("gap", 0.05, 5, 200, 3, SPREAD) and lines[1].get_xdata()[3] == 5
    _, axis = plt.subplots()
    draw.chances(axis, "method", SPREAD, 0.05, (200,), 3, most=6)
    assert np.allclose(axis.lines[0].get_ydata()[-1], power("method", 0.05, 6, 200, 3, SPREAD))


def test_a_split_by_image_parts_patients_and_loses_no_image():
    clinic = make_clinic(HOSPITALS[:1], 60, seed=0)
    named = type(clinic)(**{**clinic.__dict__, "group": np.array([f"{i // 2}" for i in range(len(clinic))])})
    train, test = draw.split_by_image(named)
    assert sorted([*train.index.tolist(), *test.index.tolist()]) == clinic.index.tolist()
    assert (find_leakage(train, test)["kind"] == "patient").sum() > 5


def test_the_drawing_of_who_may_look_has_words():
    assert len(draw.who_may_look().alt) > 40
