"""A comparison in one line trains what its arguments say, and nothing sees the target."""

from functools import partial

import numpy as np
import pytest

from medgen_utils import clinic
from medgen_utils.backbones import SmallCNN
from medgen_utils.benchmark import compare, run
from medgen_utils.benchmark.entries import EQUAL_SECONDS
from medgen_utils.evaluation import auroc
from medgen_utils.training import ERM
from tests.benchmark.small import FEW, small_clinic

OPTIONS = {"seeds": (0, 1), "steps": 3, "width": 4, "n_jobs": 1}


@pytest.fixture(scope="module")
def dataset():
    return small_clinic(0)


def test_a_comparison_is_the_runs_it_says(dataset):
    result = compare(["ERM", FEW[2]], dataset, target=clinic.NEW_HOSPITAL, **OPTIONS)
    frame = run(ERM, dataset, clinic.NEW_HOSPITAL, seed=1, steps=3, width=4).query("split == 'test'")
    scores = result.scores().set_index(["method", "unit"])["value"]
    assert scores["ERM", "seed 1"] == auroc(frame["y"].to_numpy(), frame[["prob_0", "prob_1"]].to_numpy())
    assert set(result.frame["domain"]) == {clinic.NEW_HOSPITAL} and result.methods == ("ERM", "jitter")


def test_without_a_target_every_domain_is_left_out_in_turn(dataset):
    result = compare(["ERM"], dataset, **OPTIONS | {"seeds": (0,)})
    assert set(result.frame["domain"]) == set(dataset.domain_names)
    assert result.about.credit == (dataset.info,) and "3 steps" in result.about.line(1)


def test_an_unknown_method_is_named(dataset):
    with pytest.raises(ValueError, match="magic"):
        compare(["ERM", "magic"], dataset, **OPTIONS)


def test_a_backbone_of_ones_own_takes_the_place_of_the_small_network(dataset):
    options = OPTIONS | {"target": clinic.NEW_HOSPITAL, "seeds": (0,)}
    plain = compare(["ERM"], dataset, **options)
    same, other = (compare(["ERM"], dataset, backbone=partial(SmallCNN, 1, width), **options) for width in (4, 6))
    assert (same.frame["prob_1"] == plain.frame["prob_1"]).all()
    assert (other.frame["prob_1"] != plain.frame["prob_1"]).any()


def test_the_line_under_a_result_names_all_its_numbers_of_steps(dataset):
    options = OPTIONS | {"steps": 4, "seeds": (0,), "target": clinic.NEW_HOSPITAL}
    assert compare(["ERM", "ERM, equal seconds"], dataset, **options).about.steps == (4, round(4 * EQUAL_SECONDS))


def test_targets_in_a_tuple_are_left_out_together(dataset):
    both = ("hospital A", clinic.NEW_HOSPITAL)
    result = compare(["ERM"], dataset, target=[both], **OPTIONS | {"seeds": (0,)})
    assert set(result.frame["domain"]) == set(both) and set(result.inside["domain"]) == set(dataset.domain_names) - set(
        both
    )


def test_the_rise_is_that_of_the_in_domain_score_over_the_last_quarter(dataset):
    options = OPTIONS | {"steps": 8, "target": clinic.NEW_HOSPITAL, "seeds": (0, 1)}
    watched, plain = (compare(["ERM", FEW[2]], dataset, **options, evaluations=k) for k in (8, 0))
    curves = [
        run(ERM, dataset, clinic.NEW_HOSPITAL, steps=8, width=4, seed=k, evaluations=8).attrs["curve"] for k in (0, 1)
    ]
    assert watched.rises["ERM"] == pytest.approx(np.mean([curve[7] - curve[5] for curve in curves]))
    assert list(watched.rises.index) == ["ERM", "jitter"] and plain.rises.empty
    assert (watched.frame["prob_1"] == plain.frame["prob_1"]).all(), "looking on the way must not change the training"
