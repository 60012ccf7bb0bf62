"""The pictures of the tests show the numbers of the tests."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from medgen_utils.figures import domain_shift
from medgen_utils.shifts import Outputs, black_box_shift_detection, mmd_two_sample_test


@pytest.fixture(autouse=True)
def no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


def outputs(n: int, shift: float, seed: int) -> Outputs:
    random = np.random.default_rng(seed)
    pixels = random.normal(shift, 1, (n, 6))
    score = 1 / (1 + np.exp(-pixels[:, 0]))
    return Outputs(pixels[:, :3], np.stack([1 - score, score], axis=1), None, pixels)


SOURCE = outputs(60, 0, 0)
TARGETS = {"much changed": outputs(63, 2, 1), "as at home": outputs(63, 0, 2)}


@pytest.mark.parametrize("name", ["deals", "origins", "outputs", "calls"])
def test_a_panel_a_hospital_with_the_p_value_of_its_test(name):
    figure = getattr(domain_shift, name)(SOURCE, TARGETS)
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in figure.axes]
    assert [title.partition("\n")[0] for title in titles] == list(TARGETS)
    assert titles[0].endswith("p < 0.01") and float(titles[1].rpartition(" ")[2]) > 0.01


def test_deals_mark_the_observed_value():
    axis = domain_shift.deals(SOURCE, TARGETS).axes[1]
    observed = mmd_two_sample_test(SOURCE.pixels, TARGETS["as at home"].pixels, 0).statistic
    assert axis.lines[0].get_xdata()[0] == pytest.approx(1000 * observed)


def test_outputs_mark_the_largest_distance():
    axis = domain_shift.outputs(SOURCE, TARGETS).axes[0]
    low, high = axis.lines[-1].get_ydata()
    largest = black_box_shift_detection(SOURCE.prob, TARGETS["much changed"].prob).statistic
    assert abs(high - low) == pytest.approx(largest)


def test_clouds_of_a_prior_shift_hold_few_malignant_cases():
    axis = domain_shift.clouds().axes[1]
    strong = [line for line in axis.lines if line.get_alpha() == 0.9]
    benign, malignant = (len(line.get_xdata()) for line in strong)
    assert axis.get_title(loc="left") == "prior shift" or axis.get_title() == "prior shift"
    assert malignant < benign / 3
