"""The figures of the chapter on what comes after deployment show the numbers they are given where these belong."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import monitoring
from medgen_utils.benchmark import About, Result
from medgen_utils.figures import outlook as figures


def interval(rows, columns):
    table = pd.DataFrame(rows, columns=[*columns, "value"])
    return table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)


def test_the_same_lesions_stand_below_each_other_benign_ones_first():
    x, y = torch.arange(8)[:, None, None, None] / 8 * torch.ones(8, 1, 6, 6), torch.arange(8) % 2
    figure = figures.lesions({"old": (x, y), "new": (x / 2, y)}, each=2)
    rows = np.array(figure.axes).reshape(2, 4)
    assert [round(8 * float(axis.images[0].get_array().max())) for axis in rows[0]] == [0, 2, 1, 3]
    assert [16 * float(axis.images[0].get_array().max()) for axis in rows[1]] == pytest.approx([0, 2, 1, 3])


def test_channels_are_sorted_by_the_last_shift():
    axis = figures.channel_shift({"old": np.array([1.0, 2.0, 3.0]), "new": np.array([0.5, -1.0, 0.0])})
    old, new = (line.get_ydata().tolist() for line in axis.lines[:2])
    assert new == [-1, 0, 0.5] and old == [2, 3, 1]


def test_gains_run_from_bright_to_dark_with_a_panel_a_metric():
    rows = [["ERM", gain, metric, gain] for gain in (1.0, 0.3) for metric in figures.TITLES]
    axes = figures.over_gains(interval(rows, ["algorithm", "gain", "metric"]))
    assert [axis.get_title(loc="left") for axis in axes] == ["AUROC", "balanced accuracy"]
    assert axes[0].get_xlim()[0] > axes[0].get_xlim()[1]
    assert axes[1].lines[0].get_ydata().tolist() == [0.3, 1.0]


def test_sizes_of_batches_have_a_line_a_memory_and_one_for_no_adaptation():
    rows = [[name, size, size / 100] for name in ("N = 0", "N = 16") for size in (2, 64)]
    axis = figures.over_sizes(interval(rows, ["memory", "size"]), unchanged=0.9)
    assert [line.get_label() for line in axis.lines] == ["N = 0", "N = 16", "not adapted"]
    assert axis.lines[2].get_ydata()[0] == 0.9 and [t.get_text() for t in axis.get_xticklabels()] == ["2", "64"]


def test_shares_are_averaged_over_batches():
    table = pd.DataFrame([[0, "ERM", 0.1], [0, "ERM", 0.3], [1, "ERM", 0.8]], columns=["share", "algorithm", "value"])
    axis = figures.over_shares(table)
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [0.2, 0.8])


def test_two_orders_are_two_marks_of_a_way():
    rows = [[way, order, metric, 0.8] for way in "ab" for order in ("one", "two") for metric in figures.TITLES]
    axis = figures.two_orders(interval(rows, ["algorithm", "order", "metric"]))
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["one", "two"]


def test_trainings_have_a_mark_a_seed_at_each_place():
    rows = [[training, place, seed, 0.9] for training in "ab" for place in ("here", "there") for seed in (0, 1)]
    axis = figures.by_place(pd.DataFrame(rows, columns=["training", "tested at", "seed", "value"]))
    assert [len(line.get_ydata()) for line in axis.lines] == [4, 4]


def test_false_alarms_stand_beside_the_stated_rate():
    axis = figures.false_alarms(interval([["naive", 0.6], ["chart", 0.1]], ["rule"]), stated=0.05)
    assert axis.get_xlim()[0] == 0
    assert any(list(line.get_xdata()) == [0.05, 0.05] for line in axis.lines)


def test_differences_have_a_panel_a_data_set_and_the_rows_in_their_order():
    rows = [[method, domain, seed, 0.5] for method in ("ERM", "b", "a", "c") for domain in "XY" for seed in (0, 1)]
    frame = pd.DataFrame(rows, columns=["method", "domain", "seed", "auroc"])
    result = Result(frame, ("ERM", "b", "a", "c"), About(10, "versions", "cpu", 1))
    figure = figures.differences({"breast": result}, ["a", "b"])
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert axis.get_xlabel() == "breast: AUROC minus that of ERM"


def test_charts_name_the_month_of_their_first_alarm():
    distances = np.r_[np.full(12, 0.5), np.full(12, 3.0)]
    of = {"alone": monitoring.each_month_alone, "sum": monitoring.cusum}
    figure = figures.charts(distances, of, {"alone": 2.0, "sum": 100.0})
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["alone: alarm in month 13", "sum: no alarm"]


def test_a_panel_a_change_with_its_harm_and_a_step_a_monitor():
    rows = [[change, name, month, month / 12, -0.2] for change in "abc" for name in ("one", "two") for month in (1, 12)]
    table = pd.DataFrame(rows, columns=["change", "monitor", "month", "value", "harm"])
    figure = figures.noticed(table)
    visible = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title(loc="left") for axis in visible] == [f"{c}\nAUROC -0.20" for c in "abc"]
    assert [line.get_label() for line in visible[0].lines] == ["one", "two"]
    x, y = visible[0].lines[0].get_data()
    np.testing.assert_allclose(y, [1 / 12, 1, 1])
    assert list(x) == [1, 12, 13], "the last month is a step too, not an end"
