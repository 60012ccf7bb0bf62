"""What a result says is what its numbers allow: units counted as what they are, noise called noise."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from scipy import stats

from medgen_utils.benchmark import About, Result
from medgen_utils.benchmark.result import FEW

ABOUT = About(2000, "python 3, torch 2", "a CPU", 12.3)


def stored(differences, seeds=2, unit="domain", noise=0.0):
    """ERM at .7 and a remedy that differs at each domain by what is given."""
    rows = [
        {"method": method, "domain": f"D{i}", "seed": seed, "auroc": 0.7 + (d if method == "remedy" else 0)}
        for i, d in enumerate(differences)
        for seed in range(seeds)
        for method in ("ERM", "remedy")
    ]
    return Result(pd.DataFrame(rows), ("ERM", "remedy"), ABOUT, unit=unit)


def images(shift=0.0, seeds=3, domains=("Rio",), n=200):
    """Predictions of ERM and of a remedy that is better by ``shift``, on the same images."""
    frames = []
    for k, domain in enumerate(domains):
        random = np.random.default_rng(k)
        y = np.arange(n) % 2
        ease = random.normal(size=n) + y
        for seed in range(seeds):
            for name, gain in (("ERM", 0.0), ("remedy", shift)):
                score = ease + gain * y + 0.05 * random.normal(size=n)
                p = 1 / (1 + np.exp(-score))
                frames.append(pd.DataFrame({
                    "run": f"{domain}/{name}/{seed}", "algorithm": name, "seed": seed, "protocol": domain,
                    "split": "test", "domain": domain, "group": [f"{domain}/{i // 2}" for i in range(n)],
                    "index": np.arange(n), "y": y, "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p,
                }))  # fmt: skip
    return Result(pd.concat(frames, ignore_index=True), ("ERM", "remedy"), ABOUT)


def test_more_than_a_few_units_give_students_interval_over_them():
    d = np.array([0.01, 0.03, 0.02, 0.05, -0.01, 0.02, 0.03, 0.04])
    row = stored(d).differences().iloc[0]
    low, high = stats.t.interval(0.95, len(d) - 1, d.mean(), stats.sem(d))
    assert (row["value"], row["low"], row["high"]) == pytest.approx((d.mean(), low, high))
    assert row["units"] == 8 and row["better"] == 7


def test_in_brief_a_method_has_its_mean_difference_and_the_units_that_gain():
    assert stored([0.01, 0.03, -0.01]).brief("remedy") == "+0.010, better at 2 of 3"


def test_seeds_are_repeats_and_no_further_units():
    d = [0.01, 0.03, 0.02, 0.05, -0.01, 0.02, 0.03]
    few, many = stored(d, seeds=1).differences(), stored(d, seeds=9).differences()
    assert few["units"].tolist() == many["units"].tolist() == [7]
    assert few["high"].to_numpy() == pytest.approx(many["high"].to_numpy())


def test_a_few_stored_units_are_shown_and_get_no_interval():
    result = stored([0.01, 0.02, -0.03, 0.04])
    words = result.say().data
    assert np.isnan(result.differences()["low"]).all() and "low" not in result.table().columns
    assert "(D0 +0.010, D1 +0.020, D2 -0.030, D3 +0.040)" in words and "4 domains, too few for an interval" in words


def test_six_units_are_few_and_seven_are_not():
    assert "too few" in stored([0.01] * FEW).say().data
    assert "too few" not in stored([0.01, 0.02] * 3 + [0.03]).say().data


def test_noise_is_called_noise_and_an_effect_is_not():
    noise = stored([0.05, -0.05, 0.04, -0.04, 0.03, -0.03, 0.01, -0.02]).say().data
    effect = stored([0.05, 0.06, 0.04, 0.05, 0.05, 0.06, 0.04]).say().data
    assert "within noise" in noise
    assert "within noise" not in effect and "better on 7 of 7 domains" in effect


def test_images_of_one_domain_give_an_interval_over_patients_and_seeds():
    nothing, gain = images(0.0).say().data, images(2.0).say().data
    assert "at Rio" in nothing and "over patients and seeds" in nothing and "within noise" in nothing
    assert nothing.count("; ") == 1, "three seeds are listed"
    assert "within noise" not in gain and "better on 3 of 3 seeds" in gain


@pytest.mark.parametrize(("n", "listed"), [(1, 0), (2, 2), (FEW, FEW), (FEW + 1, 0)])
def test_the_points_of_a_few_units_are_listed_and_a_single_one_is_its_mean(n, listed):
    words = images(0.5, seeds=1, domains=[f"D{i}" for i in range(n)], n=60).say().data
    points = re.search(r"; ([^;)]*)\)", words)
    assert len(points[1].split(", ")) == listed if points else listed == 0


def test_points_are_named_and_stand_in_the_order_of_the_table_and_seeds_are_not_named():
    frame = stored([0.01, 0.02, -0.03]).frame.replace({"domain": {"D0": "north", "D1": "east", "D2": "west"}})
    result = Result(frame, ("ERM", "remedy"), ABOUT)
    assert "(north +0.010, east +0.020, west -0.030)" in result.say().data
    assert [name for name in result.table() if name in {"north", "east", "west"}] == ["north", "east", "west"]
    assert "seed" not in re.search(r"; ([^;)]*)\)", images(0.5).say().data)[1]


def test_the_interval_over_patients_is_wider_with_seeds_that_differ():
    one, three = (images(0.5, seeds=n).differences().iloc[0] for n in (1, 3))
    assert one["interval"] == "over patients, one seed" and three["interval"] == "over patients and seeds"
    assert one["low"] < one["value"] < one["high"]


def test_domains_are_called_hospitals_only_where_one_says_so():
    assert "hospital" not in stored([0.01] * 4).say().data
    assert "4 hospitals" in stored([0.01] * 4, unit="hospital").say().data
    assert "hospital" not in images().say().data


def test_scanners_of_one_hospital_are_no_hospitals():
    frame, sites = stored([0.01] * 4).frame, {"D0": "Utrecht", "D1": "Utrecht", "D2": "Rio", "D3": "Cairo"}
    words = Result(frame, ("ERM", "remedy"), ABOUT, sites=sites).say().data
    assert "2 of them scanners of one hospital" in words
    pairs = Result(frame, ("ERM", "remedy"), ABOUT, sites=sites | {"D3": "Rio"}).say().data
    assert "4 of them scanners of 2 hospitals" in pairs
    with pytest.raises(ValueError, match=r"D0.*D1.*one hospital"):
        Result(frame, ("ERM", "remedy"), ABOUT, unit="hospital", sites=sites)


def test_lower_is_better_for_the_brier_score():
    result = stored([-0.01] * 7)
    lower = Result(result.frame.rename(columns={"auroc": "brier"}), result.methods, ABOUT, "brier")
    assert lower.differences()["better"].tolist() == [7] and "Brier score" in lower.say().data


def test_several_comparisons_are_said_to_be_several():
    frame = pd.concat(
        [stored([0.01] * 4).frame, stored([0.02] * 4).frame.query("method == 'remedy'").assign(method="b")]
    )
    words = Result(frame, ("ERM", "remedy", "b"), ABOUT).say().data
    assert "2 comparisons" in words


@pytest.mark.parametrize(
    "result", [stored([0.01, 0.02, -0.01]), stored([0.01] * 9), images()], ids=["few", "many", "one"]
)
def test_the_figure_shows_a_point_a_unit_chance_and_how_it_was_made(result):
    figure = result.plot()
    (axis,) = figure.axes
    units = result.scores()["unit"].nunique()
    points = [line for line in axis.lines if line.get_marker() in "os^DvPX"]
    assert len(points) == 2 * units
    assert any(text.get_text() == "chance" for text in axis.texts)
    made = figure.get_supxlabel().replace("\n", " ")
    assert "2,000 steps" in made and "torch 2" in made
    assert ("interval" in made) == (units > FEW or "prob_1" in result.frame)
    assert not plt.get_fignums(), "shown twice in a notebook"


def test_a_method_without_scores_is_named():
    with pytest.raises(ValueError, match="nobody"):
        Result(stored([0.1]).frame, ("ERM", "nobody"), ABOUT)


def test_the_in_domain_score_stands_beside_the_targets():
    result = stored([0.01, 0.02])
    inside = result.frame.assign(auroc=0.9, domain="all sources")
    assert (Result(result.frame, result.methods, ABOUT, inside=inside).table()["in domain"] == 0.9).all()


def test_one_method_alone_says_its_points_or_where_they_are_many_their_mean():
    few, many = (Result(stored([0.0] * n).frame, ("ERM",), ABOUT).say().data for n in (FEW, FEW + 1))
    assert few.count("0.700") == FEW
    assert many == "ERM reaches 0.700 AUROC over 7 domains (0.700 to 0.700, over 7 domains)."


def test_results_stand_beside_each_other_as_if_run_together():
    together = images(0.3)
    frames = dict(iter(together.frame.groupby("algorithm")))
    alone = [replace(together, frame=frames[name], methods=(name,)) for name in ("ERM", "remedy")]
    joined = alone[0].beside(alone[1])
    assert joined.methods == ("ERM", "remedy") and joined.about.seconds == 2 * ABOUT.seconds
    pd.testing.assert_frame_equal(joined.differences(), together.differences())
    with_inside = [replace(result, inside=result.frame.assign(split="validation")) for result in alone]
    inside = with_inside[0].beside(with_inside[1]).inside
    assert inside.index.tolist() == list(range(len(together.frame)))
    assert with_inside[0].beside(alone[1]).inside is None, "an in-domain score of one alone compares nothing"


def test_a_pair_has_a_baseline_of_its_own():
    together = images(0.3)
    pair = together.only("remedy", "ERM")
    assert pair.methods == ("remedy", "ERM")
    assert pair.differences()["value"].tolist() == pytest.approx((-together.differences()["value"]).tolist())
    assert set(together.only("ERM").frame["algorithm"]) == {"ERM"}
    assert stored([0.01] * 4).only("remedy").table().index.tolist() == ["remedy"]
    with pytest.raises(ValueError, match="nobody"):
        together.only("ERM", "nobody")


def test_results_of_other_runs_do_not_stand_beside():
    one, other = images(), images(domains=("Cairo",))
    with pytest.raises(ValueError, match="in both"):
        one.beside(one)
    renamed = replace(
        other, frame=other.frame.assign(algorithm="other " + other.frame["algorithm"]), methods=("other ERM",)
    )
    with pytest.raises(ValueError, match="not on the same"):
        one.beside(renamed)


def test_many_methods_are_told_in_brief():
    worse, mixed = (stored(d).frame.query("method == 'remedy'") for d in ((-0.1, -0.2, -0.3), (0.03, -0.01, 0.04)))
    frames = [stored((0.1, 0.2, 0.3)).frame, worse.assign(method="worse"), mixed.assign(method="mixed")]
    said = Result(pd.concat(frames), ("ERM", "remedy", "worse", "mixed"), ABOUT, unit="site").in_brief().data
    assert "Of 3 methods beside ERM, 1 is better at every site, 1 at none, and 1 at some" in said
    assert "over 3 sites goes from -0.200 (**worse**) to +0.200 (**remedy**): 3 comparisons" in said


def test_the_baselines_own_difference_is_blank():
    for result in (stored([0.01] * 3), images()):
        table = result.table()
        assert table.loc["ERM", "difference"] == "" and isinstance(table.loc["remedy", "difference"], float)
        assert not table.isna().any().any() and "NaN" not in table.to_string()


def test_a_difference_that_rounds_to_nothing_has_no_sign():
    shown = stored([-0.0001, -0.0002, 0.0001]).table().loc["remedy", "difference"]
    assert str(shown) == "0.0"


def test_each_domain_has_its_difference_and_both_scores():
    result = images(1.0, domains=("Rio", "Cairo"))
    inside = result.frame.assign(domain="trained", split="validation")
    result = Result(result.frame, result.methods, ABOUT, inside=inside)
    each = result.differences_by_domain()
    assert each["domain"].tolist() == ["Rio", "Cairo"] and (each["low"] < each["value"]).all()
    assert each["value"].mean() == pytest.approx(result.differences()["value"].iloc[0])
    table = result.by_domain().set_index(["method", "domain"])
    assert table.loc[("remedy", "Rio"), "value"] == pytest.approx(table.loc[("remedy", "Rio"), "inside"])
    assert (table["low"] < table["value"]).all() and (table["value"] < table["high"]).all()
    assert stored([0.1]).by_domain()["low"].isna().all()
    assert stored([0.1, 0.2]).differences_by_domain()["value"].tolist() == pytest.approx([0.1, 0.2])


def test_methods_and_domains_keep_their_order_and_the_baseline_has_no_difference():
    result = stored([0.01 * k for k in range(12)])
    turned = replace(result, frame=result.frame.iloc[::-1], methods=("remedy", "ERM"))
    for each, first in ((result, "ERM"), (turned, "remedy")):
        assert each.scores()["method"].drop_duplicates().tolist() == list(each.methods)
        assert set(each.differences_by_domain()["method"]) == set(each.methods) - {first}
    assert result.scores()["unit"].drop_duplicates().tolist() == [f"D{k}" for k in range(12)]


def test_a_loss_beyond_noise_says_on_how_few_units_it_is_better():
    loss = stored([-0.05, -0.06, -0.04, -0.05, -0.05, -0.06, 0.001]).say().data
    assert "within noise" not in loss and "better on 1 of 7 domains" in loss


@pytest.mark.parametrize(
    ("seconds", "said"), [(5399, "5399 s"), (5400, "1.5 core-hours"), (3.6e6, "1000.0 core-hours")]
)
def test_long_trainings_are_told_in_hours(seconds, said):
    assert f"{said} of training" in replace(ABOUT, seconds=seconds).line(3)


def test_a_wider_level_gives_a_wider_interval():
    for result in (images(0.5), stored([0.01, 0.02] * 4)):
        usual, careful = (result.differences(level).iloc[0] for level in (0.95, 0.99))
        assert careful["low"] < usual["low"] < usual["high"] < careful["high"]


def test_a_class_that_a_domain_lacks_takes_nothing_down():
    random = np.random.default_rng(0)
    y = np.arange(120) % 3
    frames = []
    for domain in ("all", "without class 2"):
        for name in ("ERM", "remedy"):
            logits = random.normal(size=(120, 3)) + np.eye(3)[y]
            prob = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            frames.append(pd.DataFrame(
                {"run": f"{domain}/{name}", "algorithm": name, "seed": 0, "protocol": domain, "split": "test",
                 "domain": domain, "group": [f"{domain}/{i}" for i in range(120)], "index": np.arange(120), "y": y}
                | {f"prob_{k}": prob[:, k] for k in range(3)}
            ))  # fmt: skip
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[(frame["domain"] == "all") | (frame["y"] < 2)]
    result = Result(frame, ("ERM", "remedy"), ABOUT)
    assert not result.by_domain()[["value", "low", "high"]].isna().any().any()
    assert not result.differences()[["value", "low", "high"]].isna().any().any()


def test_in_domain_scores_are_measured_network_by_network():
    """Two networks judge the same held-back images: the one scores them all above the other's."""
    y = np.arange(40) % 2
    frame = images(domains=("Rio", "Cairo"), seeds=1).frame
    inside = [
        pd.DataFrame({
            "run": run, "algorithm": run.split("/")[1], "seed": 0, "protocol": run, "split": "validation",
            "domain": "trained", "group": "", "index": np.arange(40), "y": y, "pred": y, "prob_1": 0.4 * y + shift,
            "prob_0": 1 - 0.4 * y - shift,
        })
        for run in frame["run"].unique() for shift in [0.5 * run.startswith("Rio")]
    ]  # fmt: skip
    table = Result(frame, ("ERM", "remedy"), ABOUT, inside=pd.concat(inside)).table()
    assert table["in domain"].tolist() == [1.0, 1.0]
