"""What the chapter on feature alignment draws is what its tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from medgen_utils.benchmark import About, Result
from medgen_utils.benchmark.entries import CONTENDERS
from medgen_utils.benchmark.inside import Look
from medgen_utils.figures import feature_alignment as draw
from medgen_utils.figures import schematic

ABOUT = About(5, "python 3", "a CPU", 1.0)


def predicted(method, domain, seed, lift=1.0, n=40):
    """Predictions of one network at one domain left out; ``lift`` is how well it tells the classes apart."""
    random = np.random.default_rng([seed, len(domain), len(method)])
    y = np.arange(n) % 2
    score = lift * y + random.normal(size=n)
    return pd.DataFrame({
        "run": f"{method}/{seed}", "algorithm": method, "seed": seed, "protocol": "p", "split": "test",
        "domain": domain, "group": [f"{domain}/{i}" for i in range(n)], "index": np.arange(n), "y": y,
        "pred": (score > 0).astype(int), "prob_0": 1 / (1 + np.exp(score)), "prob_1": 1 / (1 + np.exp(-score)),
    })  # fmt: skip


def look(method, seed=0, probe=0.5, lift=1.0):
    random = np.random.default_rng(seed)
    domain = np.repeat(["hospital A", "hospital B"], 20)
    frame = pd.concat([predicted(method, name, seed, lift) for name in ("new", "dark")])
    y = np.arange(40) % 2
    return Look(method, "new and dark", seed, random.normal(size=(40, 5)), domain, y, y, probe, 0.6, 0.4, 0.5, frame)


@pytest.fixture
def result():
    runs = [(method, domain, seed) for method in ("ERM", "CORAL") for domain in ("new", "dark") for seed in (0, 1)]
    return Result(pd.concat([predicted(*run) for run in runs]), ("ERM", "CORAL"), ABOUT)


def test_every_seed_is_a_point_at_each_hospital(result):
    table = draw.by_seed(result)
    assert len(table) == 8 and table["value"].between(0, 1).all()
    means = table.groupby(["method", "domain"])["value"].mean()
    assert means["CORAL", "new"] == pytest.approx(
        result.scores().set_index(["method", "unit"])["value"]["CORAL", "new"]
    )
    axis = draw.at_each(result).axes[0]
    assert sum(len(line.get_xdata()) for line in axis.lines if line.get_marker() in ("o", "s")) == 8


def test_some_hospitals_and_methods_may_be_picked(result):
    axis = draw.at_each(result, ["dark"], ["CORAL"]).axes[0]
    points = [line for line in axis.lines if line.get_marker() == "o"]
    assert len(points) == 1 and len(points[0].get_xdata()) == 2
    assert [label.get_text() for label in axis.get_yticklabels()] == ["CORAL"]


def test_the_true_shares_are_lines():
    rows = [["ERM", 0, "A", 0.9, 0.8, 0.1], ["ERM", 0, "B", 0.1, 0.2, 0.1]]
    calls = pd.DataFrame(rows, columns=["method", "seed", "domain", "prevalence", "called", "error"])
    axis = draw.shares_called(calls).axes[0]
    lines = [float(line.get_xdata()[0]) for line in axis.lines if line.get_linestyle() == ":"]
    assert lines == [0.9, 0.1]


def test_components_are_those_of_scikit_learn_up_to_their_sign():
    from sklearn.decomposition import PCA

    z = np.random.default_rng(0).normal(size=(30, 6)) * np.arange(1, 7)
    standard = (z - z.mean(0)) / (z.std(0) + 1e-6)
    expected = PCA(2, svd_solver="full").fit_transform(standard)
    np.testing.assert_allclose(np.abs(draw.components(z)), np.abs(expected), atol=1e-8)


def test_a_network_is_a_column_of_two_clouds():
    figure = draw.clouds([look("ERM"), look("CORAL within classes", 1)])
    assert len(figure.axes) == 4
    assert [sum(len(part.get_offsets()) for part in axis.collections) for axis in figure.axes] == [40] * 4
    assert figure.axes[1].get_title(loc="center") == "CORAL within\nclasses"


def test_each_rule_has_a_bar_at_its_mean():
    rules = ["training-domain validation", "held-out-domain validation", "oracle"]
    rows = [[family, rule, seed, 0.5 + 0.1 * seed] for family in ("IRM", "V-REx") for rule in rules for seed in (0, 1)]
    picked = pd.DataFrame(rows, columns=["family", "rule", "seed", "auroc"])
    axis = draw.three_rules(picked, 0.6, "ERM").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()][2] == "oracle (cheating)"
    bars = [part for part in axis.collections if len(part.get_paths()) == 1 and len(part.get_offsets()) <= 1]
    assert len(bars) >= 6


def test_more_alignment_runs_from_the_first_to_the_last_weight():
    looks = [look("ERM", probe=0.9), look("CORAL", probe=0.6), look("CORAL 100", probe=0.4)]
    rows = [[item.method, item.probe, domain, score] for item in looks for domain, score in item.auroc.items()]
    swept = pd.DataFrame(rows, columns=["method", "probe", "domain", "auroc"])
    real = swept[swept["method"] != "CORAL 100"]
    figure = draw.more_alignment(swept, {"ERM": 0, "CORAL": 10, "CORAL 100": 100}, real)
    (first, second) = figure.axes[0].lines
    assert list(first.get_xdata()) == [0.9, 0.6, 0.4] and first.get_label() == "new" and second.get_label() == "dark"
    assert {text.get_text() for text in figure.axes[0].texts} == {"0", "100"}


def test_the_slider_shows_the_weight_it_is_asked_for():
    weights = {"ERM": 0, "CORAL": 10}
    show = draw.at_weight([look("ERM", lift=0.2), look("CORAL", lift=3.0), look("other")], weights)
    heights = [[bar.get_height() for bar in show(weight).axes[2].patches] for weight in (0, 10)]
    assert heights[0] == list(look("ERM", lift=0.2).auroc.values())
    assert heights[1] == list(look("CORAL", lift=3.0).auroc.values())
    plt.close("all")


def test_the_schematic_names_every_method_where_the_scoreboard_has_it():
    """IRM belongs to the risks, here as there: no page may count it twice."""
    parts = schematic("three-things-to-agree-on").alt.partition("Features: ")[2]
    features, _, rest = parts.partition("Risks: ")
    risks, _, gradients = rest.partition("Gradients: ")
    said = {"alignment of features": features, "alignment of risks": risks, "alignment of gradients": gradients}
    for contender in CONTENDERS:
        if contender.family in said and not contender.name.startswith("conditional"):
            words = {family: text.replace(",", " ").replace(";", " ") for family, text in said.items()}
            where = [family for family, text in words.items() if f" {contender.name} " in f" {text} "]
            assert where == [contender.family], contender.name
