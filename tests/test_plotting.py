"""The figures of the house show every number they are given, where it belongs, in ink that can be read."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from medgen_utils import plotting
from medgen_utils.domains import DatasetInfo

FRAME = pd.DataFrame(
    {
        "hospital": ["A", "B", "A", "B"],
        "method": ["one", "one", "two", "two"],
        "value": [0.7, 0.8, 0.6, 0.9],
        "low": [0.6, 0.7, 0.5, 0.85],
        "high": [0.75, 0.95, 0.7, 0.95],
    }
)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*plotting.PALETTE, plotting.INK, plotting.QUIET])
def test_every_ink_of_the_house_reads_on_its_paper(colour):
    contrast = (luminance(plotting.PAPER) + 0.05) / (luminance(colour) + 0.05)
    assert contrast >= 4.5


def test_intervals_are_drawn_at_their_values_a_colour_a_method():
    axis = plotting.interval_plot(FRAME, "hospital", "method", reference=0.5)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["A", "B"]
    drawn = {container.get_label(): container for container in axis.containers}
    assert set(drawn) == {"one", "two"}
    for method, container in drawn.items():
        points, _, (bars,) = container.lines
        part = FRAME[FRAME["method"] == method]
        assert list(points.get_xdata()) == list(part["value"])
        ends = [list(segment[:, 0]) for segment in bars.get_segments()]
        np.testing.assert_allclose(ends, part[["low", "high"]])
    assert drawn["one"].lines[0].get_color() != drawn["two"].lines[0].get_color()
    assert any(line.get_xdata()[0] == 0.5 for line in axis.lines if line.get_linestyle() == ":")


def test_a_matrix_writes_every_value_with_its_interval():
    axis = plotting.matrix_plot(FRAME, "hospital", "method")
    texts = [text.get_text() for text in axis.texts]
    assert texts == ["0.70", "0.60 to 0.75", "0.80", "0.70 to 0.95", "0.60", "0.50 to 0.70", "0.90", "0.85 to 0.95"]
    assert [text.get_position()[0] for text in axis.texts[::2]] == [0, 0, 1, 1]


def test_images_are_shown_as_they_are():
    grey, colour = torch.rand(2, 1, 4, 4), torch.rand(3, 3, 4, 4)
    figure = plotting.show_images([grey, colour], ["grey", "colour"], ["a", "a", "b"])
    shown = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert len(shown) == 5
    torch.testing.assert_close(torch.as_tensor(shown[0]), grey[0, 0])
    torch.testing.assert_close(torch.as_tensor(shown[2]), colour[0].permute(1, 2, 0))
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "", "b"]


@pytest.mark.parametrize(("value", "words"), [(0.012, "+1"), (-0.2, "-20"), (0.004, "0"), (-0.004, "0")])
def test_hundredths_carry_a_sign_and_nothing_is_zero(value, words):
    assert plotting.hundredths(value) == words


def test_small_print_names_the_data_and_its_licence():
    info = DatasetInfo("clinic", "Clinic", source="here", licence="CC0", citation="")
    figure = plotting.footer(plt.figure(figsize=(9, 3)), "fast mode", [info])
    assert figure.get_supxlabel() == "fast mode\nData: Clinic; CC0"


def test_a_long_footer_leaves_the_axes_their_height():
    heights = []
    for text in ("short", "a long line of small print " * 12):
        figure, axis = plt.subplots(figsize=(5.8, 2.0), layout="constrained")
        plotting.footer(figure, text)
        figure.canvas.draw()
        heights.append(axis.get_window_extent().height)
    assert heights[1] > 0.8 * heights[0]


def test_a_dot_plot_has_a_dot_a_row_of_the_frame():
    frame = pd.DataFrame({"network": ["a", "a", "b"], "labels": ["x", "y", "x"], "value": [0.2, 0.6, 0.9]})
    axis = plotting.dot_plot(frame, "network", "labels", label="index")
    drawn = sorted(value for line in axis.lines if line.get_marker() != "None" for value in line.get_xdata())
    assert drawn == [0.2, 0.6, 0.9]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]
    plt.close(axis.figure)


def test_a_curve_plot_draws_means_and_a_baseline_across():
    frame = pd.DataFrame(
        [[0, "base", 0.7], [0, "base", 0.8], [5, "curve", 0.6], [5, "curve", 0.8], [50, "curve", 0.9]],
        columns=["patients", "training", "auroc"],
    )
    (axis,) = plotting.curve_plot(frame, "patients", "training")
    lines = {line.get_label(): line for line in axis.lines}
    assert list(lines["base"].get_ydata()) == [0.75, 0.75]
    assert [round(float(value), 6) for value in lines["curve"].get_ydata()] == [0.7, 0.9]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["5", "50"]
    plt.close(axis.figure)
