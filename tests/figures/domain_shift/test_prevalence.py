"""What moves with the prevalence, and the estimates beside the truth."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from medgen_utils.clinic import Hospital
from medgen_utils.figures import domain_shift
from medgen_utils.shifts.experiments import NUMBERS, home_model


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [{"prevalence": p, "repeat": r, "estimated": p + random.normal(0, 0.01)} for p in (0.5, 0.1) for r in (0, 1)]
    numbers = {name: random.random(4) for name in (*NUMBERS, "corrected error")}
    return pd.DataFrame(rows).assign(**numbers)


def test_curves_go_through_the_means_and_are_named():
    table = frame()
    figure = domain_shift.what_moves(table)
    curves = {line.get_label(): line.get_ydata() for axis in figure.axes for line in axis.lines}
    np.testing.assert_allclose(curves["right alarms"], table.groupby("prevalence")["right alarms"].mean()[[0.5, 0.1]])
    np.testing.assert_allclose(curves["corrected"], table.groupby("prevalence")["corrected error"].mean()[[0.5, 0.1]])


def test_every_estimate_is_a_dot_and_the_truth_a_bar():
    axis = domain_shift.estimates(frame())
    dots, bars = axis.lines[::2], axis.lines[1::2]
    assert [len(line.get_xdata()) for line in dots] == [2, 2]
    assert [tuple(line.get_ydata()) for line in bars] == [(0.5, 0.5), (0.1, 0.1)]


def test_alarms_of_a_thousand_patients_are_counted_before_and_after_the_correction():
    home = Hospital("home", irregularity=0.3)
    figure = domain_shift.prevalence_picture(home_model(home, 0, 60, n=200), home, 0.1, n=300)
    before, after = (sum(map(int, text.get_text().split()[::2])) for text in figure.axes[1].texts)
    assert 1000 >= before >= after >= 0
