import numpy as np
import pandas as pd
import pytest
import torch

from medgen_utils.benchmark import About, Result
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.evaluation import auroc
from medgen_utils.figures import data_augmentation as draw

ABOUT = About(5, "python 3", "a CPU", 1.0)


def predicted(name, domain, seed, lift=0.0, spread=1.0, n=60, split="test"):
    """Images whose log odds are the class and noise, times ``spread``, moved by ``lift``."""
    random = np.random.default_rng([seed, len(domain)])
    y = np.arange(n) % 2
    score = spread * (y + random.normal(size=n)) + lift
    return pd.DataFrame({
        "run": f"{name}/{seed}", "algorithm": name, "seed": seed, "protocol": "p", "split": split, "domain": domain,
        "group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y, "pred": (score > 0).astype(int),
        "prob_0": np.exp(-np.logaddexp(0, score)), "prob_1": 1 / (1 + np.exp(-score)),
    })  # fmt: skip


@pytest.fixture
def result():
    runs = [(m, d, s) for m in ("ERM", "noise") for d in ("dark", "noisy") for s in (0, 1)]
    away = [predicted(m, d, s, lift=80 if (m, d) == ("ERM", "noisy") else 0, spread=2) for m, d, s in runs]
    home = [predicted(m, "hospital A", s, split="validation") for m in ("ERM", "noise") for s in (0, 1)]
    return Result(pd.concat(away), ("ERM", "noise"), ABOUT, inside=pd.concat(home))


def test_a_saturated_score_keeps_its_order_in_the_log_odds_and_loses_it_in_the_probability(result):
    table = draw.scores_at(result, ["hospital A", "noisy"])
    assert table.loc["noisy", "stored as exactly 1"] == 1 and table.loc["noisy", "AUROC of probabilities"] == 0.5
    assert table.loc["noisy", "AUROC of log odds"] > 0.6 and table.loc["noisy", "median log odds"] > 70
    home = table.loc["hospital A"]
    assert home["AUROC of probabilities"] == home["AUROC of log odds"] and home["stored as exactly 1"] == 0


def test_the_line_stands_where_a_probability_is_stored_as_one():
    p = 1 / (1 + np.exp(-np.array([draw.STORED_AS_ONE - 0.01, draw.STORED_AS_ONE + 0.01])))
    assert p[0] < 1 and p[1] == 1


def test_every_image_is_a_point_of_its_class(result):
    axis = draw.saturation(result, ["hospital A", "noisy"]).axes[0]
    points = [len(line.get_xdata()) for line in axis.lines if line.get_marker() == "."]
    assert points == [30, 30, 30, 30]
    assert axis.get_yticklabels()[0].get_text() == "hospital A, benign"


def test_the_grid_shows_home_and_each_new_domain_and_frames_the_match(result):
    axis = draw.gains(result, {"noisy": "noise"}).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == [draw.HOME, "dark", "noisy"]
    frame = result.frame.query("algorithm == 'noise' and domain == 'noisy'")
    means = np.mean([auroc(part["y"].to_numpy(), part["prob_1"].to_numpy()) for _, part in frame.groupby("seed")])
    cells = {tuple(text.get_position()): text.get_text() for text in axis.texts}
    assert cells[2, 1] == f"{means:.2f}" and cells[2, 0] == "0.50"
    (box,) = axis.patches
    assert (round(box.get_x() + 0.47), round(box.get_y() + 0.45)) == (2, 1)


def test_what_is_gained_has_an_interval_over_patients(result):
    table = draw.gained(result, "noise")
    assert table.loc["noisy", "low"] > 0 and table.loc["dark", "value"] == 0


def test_a_family_that_holds_the_new_images_covers_their_points():
    x = make_clinic(acquisition_hospitals(), 10, seed=0)
    sources, new = x.without("new hospital").x, x.only("new hospital").x
    figure = draw.families({"darker": lambda z, g: 0.3 * z, "same": lambda z, g: z}, sources, new, "dark")
    reach = [axis.collections[0].get_offsets()[:, 0] for axis in figure.axes]
    orange = figure.axes[0].collections[2].get_offsets()[:, 0]
    assert reach[0].min() < orange.mean() < reach[0].max() < reach[1].min()


def test_a_page_has_a_row_for_the_images_and_for_each_function():
    dataset = make_clinic(acquisition_hospitals(), 10, seed=0)
    x = draw.some(dataset)
    figure = draw.page(x, {"brighter": lambda z, g: z + 5})
    assert x.shape[0] == 8 and len(figure.axes) == 16
    assert figure.axes[8].images[0].get_array().max() == 1


def test_the_curve_over_strengths_has_every_seed_at_home_and_away(result):
    curve = draw.by_strength(result, {"ERM": 0.0, "noise": 2.0}, "dark")
    assert len(curve) == 2 * 2 * 2 and set(curve["place"]) == {"sources", "dark"}
    one = result.frame.query("algorithm == 'noise' and domain == 'dark' and seed == 1")
    at = curve.query("strength == 2 and place == 'dark' and seed == 1")["auroc"].item()
    assert at == auroc(one["y"].to_numpy(), one["prob_1"].to_numpy())
    figure = draw.at_strength(curve, torch.rand(6, 1, 8, 8), lambda x, g, s: x * np.exp(-s))(2.0)
    assert figure.axes[0].images[0].get_array().max() < 0.2


def test_order_and_decisions_stand_side_by_side(result):
    axis = draw.order_and_decisions(result).axes[0]
    auroc_bar, decisions = axis.containers
    assert auroc_bar.get_label().startswith("AUROC") and decisions.get_label().startswith("balanced")
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ERM", "noise"]
    expected = result.scores().query("method == 'noise'")["value"].mean()
    assert np.isclose(auroc_bar[0].get_xdata()[1], expected)
