"""Every dot and stroke of the figures of the chapter is a number of its frame, in the line of its name."""

import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils import self_supervision as ssl
from medgen_utils.clinic import INFO, acquisition_hospitals, make_clinic
from medgen_utils.figures import self_supervision as draw
from medgen_utils.self_supervision.kept import CLASS_NEW, HOSPITAL, MORE, SIZE
from medgen_utils.self_supervision.turns import EVERYWHERE
from medgen_utils.training import build, flips

CLINIC = make_clinic(acquisition_hospitals(), 6, seed=0)


def test_a_task_is_a_row_of_four_pictures():
    figure = draw.tasks(CLINIC.x[:1], flips, INFO)
    assert len(figure.axes) == 16
    turned = figure.axes[1].images[0].get_array()
    assert np.allclose(turned, np.rot90(CLINIC.x[0, 0].numpy()), atol=1e-6)


def test_turns_are_a_dot_for_all_and_a_stroke_for_each():
    rows = [[name, domain, seed, 0.1 * k + 0.3 * (domain == EVERYWHERE) + 0.01 * seed]
            for k, name in enumerate("abc") for domain in (EVERYWHERE, "left", "right") for seed in (0, 1)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["images", "domain", "seed", "value"])
    axis = draw.turns(frame, ["b", "a"], "fast mode", [INFO]).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]
    strokes, dots = axis.lines[:2]
    assert strokes.get_xdata() == pytest.approx([0.105, 0.105]) and set(strokes.get_ydata()) == {0}
    assert dots.get_xdata() == pytest.approx([0.4, 0.41])


def test_the_channels_are_shown_as_they_are_and_farther_apart():
    colour = make_clinic(acquisition_hospitals(), 6, seed=0, channels=3)
    moved = torch.stack([colour.x[:, 0], colour.x[:, 1], ssl.shifted(colour.x[:, 1], 0, 0.5)], 1).clamp(0, 1)
    colour = type(colour)(**{**vars(colour), "x": moved})
    figure = draw.channels(colour, colour.domain_names[:2])
    assert figure.axes[0].get_title() == "as it is"
    first, far = (axis.images[0].get_array() for axis in figure.axes[:2])
    assert np.array_equal(first[:, :, 1], far[:, :, 1]) and not np.allclose(first[:, :, 2], far[:, :, 2], atol=0.05)


def frame(reads, shift=0.0, names=("crops", "jitter")):
    rows = [[name, seed, read, 0.1 * k + 0.02 * i + 0.001 * seed + shift]
            for i, name in enumerate(names) for k, read in enumerate(reads) for seed in (0, 1)]  # fmt: skip
    return pd.DataFrame(rows, columns=["features", "seed", "read", "value"])


def test_what_is_kept_has_a_panel_a_reading_and_a_dot_a_seed():
    axes = draw.kept(frame([CLASS_NEW, HOSPITAL, SIZE]), "fast mode", [INFO]).axes
    assert [axis.get_title(loc="left") for axis in axes] == [CLASS_NEW, HOSPITAL, SIZE, ""]
    assert axes[1].lines[2].get_xdata() == pytest.approx([0.12, 0.121])


def test_the_two_tests_of_the_surprise_stand_beside_each_other():
    probes, grain = frame([CLASS_NEW, HOSPITAL, SIZE, *MORE]), frame([HOSPITAL], shift=0.5, names=["crops"])
    left, right = draw.surprises(probes, grain, ["crops", "jitter"], "fast mode", [INFO]).axes
    assert left.lines[0].get_xdata() == pytest.approx([0.1, 0.101, 0.12, 0.121])
    assert left.lines[1].get_xdata() == pytest.approx([0.5, 0.501])
    assert right.lines[2].get_xdata() == pytest.approx([0.4, 0.401, 0.42, 0.421])


def test_only_hidden_patches_are_painted():
    network = build(ssl.MAE, CLINIC, seed=0, width=2).eval()
    figure = draw.hidden_and_painted(network, CLINIC.x[:2])(0.5)
    whole, hidden, painted = (figure.axes[k].images[0].get_array() for k in (0, 2, 4))
    seen = hidden == whole
    assert 0.4 < seen.mean() < 0.75 and np.allclose(painted[seen & (hidden != 0.5)], whole[seen & (hidden != 0.5)])
