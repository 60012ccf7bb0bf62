import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from medgen_utils.benchmark import About, Result
from medgen_utils.figures import meta_learning as draw
from medgen_utils.meta_learning import directions, global_class_alignment, two_weights

ABOUT = About(5, "python 3", "a CPU", 1.0)
A, B, UNSEEN = (two_weights.draw_hospital(agreement, seed) for seed, agreement in enumerate((0.95, 0.55, 0.1)))
W = torch.tensor([1.0, 0.4], dtype=torch.float64)


def predicted(name, domain, seed, skill=1.0, split="test", n=80):
    """Images whose log odds are ``skill`` times the class, and noise that all methods share."""
    random = np.random.default_rng([seed, len(domain)])
    y = np.arange(n) % 2
    score = skill * (2 * y - 1) + random.normal(size=n)
    return pd.DataFrame({
        "run": f"{name}/{domain}/{seed}", "algorithm": name, "seed": seed, "split": split, "domain": domain,
        "group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y, "pred": (score > 0).astype(int),
        "prob_0": 1 / (1 + np.exp(score)), "prob_1": 1 / (1 + np.exp(-score)), "seconds": 2.0 * skill,
    })  # fmt: skip


def compared(skills, domains=("new hospital",), seeds=(0, 1), inside=None):
    frame = pd.concat([predicted(name, d, s, skill) for name, skill in skills.items() for d in domains for s in seeds])
    return Result(frame, tuple(skills), ABOUT, inside=inside)


def test_the_step_is_drawn_with_its_words_and_shown_once():
    figure = draw.one_step(W, A, B, 4.0)
    words = {text.get_text() for text in figure.axes[0].texts}
    assert {"trial step: A", "what B asks for", "ERM", "MLDG, exact", "MLDG, first order"} <= words
    assert not plt.get_fignums()


def test_the_trial_step_ends_where_the_gradient_leads():
    axis = draw.one_step(W, A, B, 4.0).axes[0]
    end = (W - 4.0 * two_weights.gradient(W, A)).tolist()
    assert any(np.allclose(text.xy, end) for text in axis.texts if text.get_text() == "trial step: A")


def test_named_points_stand_where_they_rest_on_a_map_from_minus_one_to_one():
    points = {"ERM": two_weights.resting_point(A, B, 0.0), "MLDG": two_weights.resting_point(A, B, 4.0)}
    axis, bar = draw.agreement(A, B, points).axes
    dots = [line.get_xydata()[0] for line in axis.lines]
    assert np.allclose(dots, [point.numpy() for point in points.values()])
    assert bar.get_ylim() == (-1, 1)


def test_resting_points_are_told_for_three_versions():
    table = draw.resting_points(A, B, (0.5, 1.0))
    assert table.index.tolist() == [0.5, 1.0] and table.shape == (2, 3)
    assert table.loc[0.5, "first order, twice the step"] == table.loc[1.0, "first order"]


def test_the_slider_says_the_auroc_of_both_points():
    figure = draw.at_trial_step(A, B, UNSEEN)(0.0)
    one, other = figure.axes[0].get_title(loc="left").split("AUROC ")[1].split(" (ERM ")
    assert one == other.rstrip(")")
    plt.close(figure)


def test_every_draw_is_a_point_and_the_yardstick_a_dashed_line():
    frame = pd.DataFrame(
        [[d, pair, step, 0.5] for d in range(3) for pair in (directions.LOOKED, directions.CHEAP) for step in (0.1, 1)]
        + [[d, directions.OTHER, np.nan, cosine] for d, cosine in enumerate((0.2, 0.3, 0.9))],
        columns=["draw", "pair", "inner_step", "cosine"],
    )
    axis = draw.turned(frame).axes[0]
    assert [len(line.get_xdata()) for line in axis.lines if line.get_marker() in "os"] == [6, 6]
    dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 1 and dashed[0].get_ydata()[0] == 0.3


def test_the_inner_step_of_each_run_is_known_and_plain_training_has_none():
    steps = {"MLDG 0.1": 0.1, "MLDG 1": 1.0}
    result = compared({"ERM": 1.0, "MLDG 0.1": 1.5, "MLDG 1": 0.5}, domains=("A", "BB", "CCC"), seeds=(0,))
    frame = draw.left_out_by_step(result, steps)
    assert len(frame) == 9 and frame.loc[frame["method"] == "ERM", "inner_step"].isna().all()
    assert frame.groupby("inner_step")["auroc"].mean().idxmax() == 0.1
    axis = draw.by_inner_step(result, steps, 0.1).axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["ERM", "0.1", "1"]
    points = [line for line in axis.lines if line.get_marker() in "os^"]
    assert sum(len(line.get_xdata()) for line in points) == 9


def test_the_same_order_correlates_to_one_and_two_seeds_do_not():
    result = compared({"ERM": 1.0, "twice": 1.0})
    assert draw.order_kept(result, "ERM", "twice") == pytest.approx(1)
    assert draw.order_of_seeds(result, "ERM") < 0.9


def test_a_pair_is_the_difference_of_the_first_from_the_second():
    result = compared({"ERM": 1.0, "strong": 3.0})
    table = draw.duels(result, [("strong", "ERM"), ("ERM", "strong")])
    assert table["difference"].tolist()[0] == -table["difference"].tolist()[1] > 0
    assert table["better"].tolist() == ["2 of 2 seeds", "0 of 2 seeds"]
    assert table.index[0] == "beside ERM: strong"


def test_differences_are_told_for_every_number_method_and_seed():
    results = {2: compared({"ERM": 1.0, "MLDG": 2.0}), 6: compared({"ERM": 1.0, "MLDG": 1.0})}
    frame = draw.differences_by_number(results)
    assert frame["sources"].tolist() == ["2 hospitals"] * 2 + ["6 hospitals"] * 2
    assert (frame["difference"][:2] > 0).all() and (frame["difference"][2:] == 0).all()
    assert "a point a seed" in draw.by_number(results).get_supxlabel()


def test_distances_of_confusions_are_those_of_the_logits():
    inside = pd.concat([predicted("ERM", d, 0, skill, "validation") for d, skill in (("A", 1.0), ("BB", 3.0))])
    result = compared({"ERM": 0.5}, seeds=(0,), inside=inside)
    table = draw.class_distances(result)
    sides = [part for _, part in inside.groupby("domain")]
    logits = [torch.tensor(np.stack([0 * s, s], 1)) for s in (np.log(p["prob_1"] / p["prob_0"]) for p in sides)]
    y = [torch.tensor(part["y"].to_numpy()) for part in sides]
    expected = global_class_alignment(logits[0], y[0], logits[1], y[1], 2.0).item()
    assert table.loc["ERM", "among the sources"] == pytest.approx(expected, rel=1e-6)
    assert len(draw.agreement_and_score(table).axes) == 2


def test_a_certain_network_has_finite_distances():
    inside = predicted("ERM", "A", 0, split="validation")
    certain = pd.concat([inside, inside.assign(domain="B", prob_0=0.0, prob_1=1.0)])
    table = draw.class_distances(compared({"ERM": 1.0}, seeds=(0,), inside=certain))
    assert np.isfinite(table.to_numpy()).all()
