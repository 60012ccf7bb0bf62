"""What moves and what is noticed are shown around zero, unclipped, a dot a run."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from medgen_utils.clinic import Hospital
from medgen_utils.figures import domain_shift


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


def frame(column: str, values: dict[tuple[str, str], float]) -> pd.DataFrame:
    return pd.DataFrame([{"cause": a, column: b, "value": v} for (a, b), v in values.items()])


CHANGES = {("scanner", "sensitivity"): -0.71, ("scanner", "AUROC"): -0.13, ("none", "sensitivity"): 0.002}
CHANGES |= {("none", "AUROC"): -0.002}


def test_the_map_of_changes_is_centred_at_zero_and_reaches_its_largest_value():
    axis = domain_shift.changes_grid(frame("metric", CHANGES))
    image = axis.images[0]
    assert image.norm.vmin == -image.norm.vmax == pytest.approx(-0.71)
    assert sorted(text.get_text() for text in axis.texts) == ["-13", "-71", "0", "0"]


def test_repeats_of_a_cause_are_averaged_in_the_order_given():
    noticed = pd.concat([frame("test", {("b", "MMD"): share, ("a", "MMD"): 0.1}) for share in (0.4, 0.6)])
    axis = domain_shift.noticed_grid(noticed)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]
    np.testing.assert_allclose(axis.images[0].get_array().ravel(), [0.5, 0.1])


def test_every_run_is_a_dot_and_dots_do_not_hide_each_other():
    rows = [{"cause": c, "labels": w, "verdict": v} for c in ("x", "y") for w in ("without", "with")
            for v in ("prior shift", "prior shift", "several shifts")]  # fmt: skip
    axis = domain_shift.verdict_dots(pd.DataFrame(rows))
    dots = [point for line in axis.lines if line.get_marker() == "o" for point in zip(*line.get_data(), strict=True)]
    assert len(dots) == len(set(dots)) == len(rows)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["prior\nshift", "several\nshifts"]


def test_power_has_a_panel_a_parameter_that_falls_to_the_right():
    rows = [{"parameter": p, "size": s, "test": t, "value": 0.5, "low": 0.4, "high": 0.6}
            for p in ("gain", "prevalence") for s in (1.0, 0.5) for t in ("MMD", "outputs")]  # fmt: skip
    figure = domain_shift.power_curves(pd.DataFrame(rows))
    assert [axis.get_xlabel().split()[0] for axis in figure.axes] == ["gain", "prevalence"]
    assert all(axis.xaxis_inverted() for axis in figure.axes)


def test_the_gallery_has_a_row_a_hospital_and_both_classes():
    home = Hospital("home")
    figure = domain_shift.gallery([home, replace(home, name="dark", gain=0.3)], n=2)
    assert len(figure.axes) == 8
    light, dark = (np.asarray(figure.axes[i].images[0].get_array()).mean() for i in (0, 4))
    assert dark < light / 2
