import pytest

from medgen_utils.benchmark import Contender
from medgen_utils.benchmark.costs import step_costs
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.meta_learning import MLDG

SOURCES = make_clinic(acquisition_hospitals()[:3], 20, seed=0)


def test_an_exact_step_costs_more_than_a_first_order_one_and_that_more_than_erm():
    exact = Contender("exact", "meta-learning", MLDG, {"first_order": (False,) * 3})
    cost = step_costs(["ERM", "MLDG", exact], SOURCES, width=4, turns=9)
    assert cost.index.tolist() == ["ERM", "MLDG", "exact"] and cost["ratio"].iloc[0] == 1
    assert 1 < cost["ratio"]["MLDG"] < cost["ratio"]["exact"]
    assert (cost["milliseconds"] / cost["milliseconds"].iloc[0]).tolist() == pytest.approx(cost["ratio"].tolist())


def test_an_augmentation_is_not_timed_and_its_strength_not_handed_to_the_algorithm():
    def slow(x, generator, strength):
        raise AssertionError("an augmentation is no part of the step")

    jitter = Contender("slow", "augmentation", augment=slow, strengths={"strength": (1, 0, 2)})
    assert step_costs([jitter], SOURCES, width=4, turns=1).index.tolist() == ["slow"]


def test_at_least_one_turn():
    with pytest.raises(ValueError, match="turns=0"):
        step_costs(["ERM"], SOURCES, turns=0)
