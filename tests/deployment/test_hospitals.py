"""Every way at an unseen domain predicts all its images, with the network that never saw it."""

import functools

import numpy as np
import pytest

from medgen_utils import clinic
from medgen_utils.benchmark import Result
from medgen_utils.deployment import hospitals

CLINIC = clinic.make_clinic(clinic.acquisition_hospitals(2), 40, seed=0)


@functools.cache
def result() -> Result:
    return hospitals.adapted(CLINIC, ("hospital A", "new hospital"), steps=4, seeds=(0, 1), unit="hospital")


def test_every_way_reads_every_image_of_each_target_once():
    counts = result().frame.groupby(["algorithm", "domain", "seed"])["index"].agg(["size", "nunique"])
    assert (counts == 40).all().all() and len(counts) == len(hospitals.METHODS) * 2 * 2
    assert result().methods[0] == "ERM" and result().unit == "hospital"


def test_sorting_changes_tent_and_nothing_else_of_it():
    frame = result().frame.set_index(["algorithm", "domain", "seed", "index"]).sort_index()
    shuffled, by_class = (frame.loc[name] for name in ("Tent, by 32", hospitals.SORTED))
    assert (shuffled["y"] == by_class["y"]).all() and not np.allclose(shuffled["prob_1"], by_class["prob_1"])


def test_tent_can_be_compared_with_the_statistics_of_the_same_batches():
    against = Result(result().frame, ("statistics, by 32", "Tent, by 32"), result().about)
    scores = result().scores().pivot(index="unit", columns="method", values="value")
    expected = (scores["Tent, by 32"] - scores["statistics, by 32"]).mean()
    assert against.differences()["value"][0] == pytest.approx(expected)


def test_side_by_side_has_every_way_against_erm_and_tent_against_its_own_statistics():
    table = hospitals.side_by_side({"clinic": result()})
    assert (table["targets"] == 2).all() and len(table) == len(hospitals.METHODS)
    scores = result().scores().pivot(index="unit", columns="method", values="value").mean()
    for way, baseline in (
        ("many views", "ERM"),
        ("Tent, by 32", "statistics, by 32"),
        (hospitals.SORTED, "Tent, by 32"),
    ):
        row = table.loc[("clinic", f"{way} - {baseline}")]
        assert row["mean"] == pytest.approx(scores[way] - scores[baseline])
        assert row["low"] <= row["mean"] <= row["high"]


def test_the_target_takes_no_part_in_the_training(monkeypatch):
    seen = []
    monkeypatch.setattr(hospitals, "fit", lambda model, train, **how: seen.append(set(train.domain.tolist())))
    hospitals.adapted(CLINIC, ("hospital B",), steps=1, seeds=(0,))
    assert seen == [{0, 2}, {0, 2}]
