"""Targets stand under their kind, with both scores and both shares on their line."""

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from medgen_utils.benchmark import evidence
from medgen_utils.figures import domain_shift


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


FRAME = pd.DataFrame(
    {
        "target": ["Rio", "Cairo", "Logiq 5"],
        "kind": ["a hospital", "a hospital", "a scanner"],
        "inside": [0.8, 0.82, 0.81], "outside": [0.7, 0.85, 0.8],
        "outside_low": [0.6, 0.8, 0.75], "outside_high": [0.8, 0.9, 0.85],
        "labelled": ["several shifts", "covariate shift", "several shifts"],
        "counted": [0.3, 0.4, 0.5], "estimated": [0.35, 0.0, 0.6],
        "estimated_low": [0.1, 0.0, 0.4], "estimated_high": [0.6, 0.1, 0.9],
    }
)  # fmt: skip


def test_every_target_has_its_two_scores_on_its_line_under_its_kind():
    axis = domain_shift.dumbbells(FRAME)
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names == ["", "Rio", "Cairo", "", "Logiq 5"]
    dots = {(float(line.get_xdata()[0]), int(line.get_ydata()[0])) for line in axis.lines if line.get_marker() == "o"}
    assert dots == {(0.8, 1), (0.7, 1), (0.82, 2), (0.85, 2), (0.81, 4), (0.8, 4)}
    kinds = [text.get_text() for text in axis.texts]
    assert "a hospital" in kinds and "a scanner" in kinds


def test_the_legend_names_the_verdicts_there_are():
    words = [text.get_text() for text in domain_shift.dumbbells(FRAME).get_legend().get_texts()]
    assert words == ["inside", "at the target", "several shifts", "covariate shift"]


def test_dots_and_crosses_have_a_legend():
    axis = domain_shift.counted_and_estimated(FRAME)
    words = [text.get_text() for text in axis.get_legend().get_texts()]
    assert sorted(words) == ["counted", "estimated, 95 % interval"]
    crosses = next(line for line in axis.lines if line.get_marker() == "x")
    assert list(crosses.get_xdata()) == [0.3, 0.4, 0.5]


def test_the_store_is_read_with_its_seeds_and_steps():
    said = domain_shift.in_the_store("breast hospitals")
    result = evidence.result("breast hospitals", ["ERM"], protocol=2)
    assert f"with {result.frame['seed'].nunique()} seeds" in said
    for name, value in result.scores().set_index("unit")["value"].items():
        assert f"{name} {value:.2f}" in said


def test_what_the_store_lacks_is_said():
    assert domain_shift.in_the_store("knees") == "The evidence store does not hold knees yet."
