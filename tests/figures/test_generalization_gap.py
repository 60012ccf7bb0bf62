import numpy as np
import pandas as pd

from medgen_utils.clinic import make_clinic
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.figures import generalization_gap
from medgen_utils.training import ERM, build
from tests.benchmark.small import HOSPITALS


def test_the_bar_is_the_interval_below_the_histogram():
    draws = np.random.default_rng(0).normal(0.7, 0.05, 500)
    axis = generalization_gap.resamples(draws, (0.6, 0.8), "AUROC in Rio").axes[0]
    assert axis.lines[0].get_xdata().tolist() == [0.6, 0.8] and max(axis.lines[0].get_ydata()) < 0
    assert sum(bar.get_height() for bar in axis.patches) == 500


def test_each_hospital_shows_the_same_patients():
    figure = generalization_gap.same_patients(HOSPITALS, each=2)
    axes = np.reshape(figure.axes, (len(HOSPITALS), 4))
    dark = axes[-1, 0].images[0].get_array().mean()
    assert dark < 0.6 * axes[0, 0].images[0].get_array().mean()
    rows = [axis.images[0].get_array()[..., :].ravel() for axis in axes[:, 0]]
    assert np.corrcoef(rows[0], rows[-1])[0, 1] > 0.9


def test_a_point_a_network_and_chance_is_that_of_the_probe():
    probes = pd.DataFrame({"network": ["a", "a", "b"], "value": [0.9, 0.8, 0.4], "chance": 0.25})
    axis = generalization_gap.probe_points(probes, "site named").axes[0]
    points = [line.get_xdata() for line in axis.lines if line.get_marker() == "o"]
    assert np.concatenate(points).tolist() == [0.9, 0.8, 0.4]
    assert 0.25 in [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"]


def test_the_score_under_the_slider_is_that_of_the_model():
    images = make_clinic(HOSPITALS[:1], 40, seed=1)
    model = build(ERM, images, seed=0, width=4)
    axes = {axis.get_xlabel(): axis for axis in generalization_gap.at_gain(model, images).axes}
    score = auroc(images.true_y.numpy(), predict_probabilities(model, images.x)[:, 1])
    assert axes["AUROC"].get_title(loc="left") == f"{score:.2f}" and "grey value" in axes
