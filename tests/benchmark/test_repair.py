"""The repair control: the same weights, the same patients, one change undone; and a reference of as many images."""

from dataclasses import replace

import pytest

from medgen_utils.benchmark import repair_control
from tests.benchmark.small import HOSPITALS

OPTIONS = {"seeds": (0, 1), "steps": 4, "width": 4, "n": 60, "n_jobs": 1}
NAME = "gain set to 1"


@pytest.fixture(scope="module")
def control():
    return repair_control(HOSPITALS, replace(HOSPITALS[-1], gain=1.0), name=NAME, **OPTIONS)


def scores(result, method):
    return result.frame[result.frame["algorithm"] == method].sort_values(["seed", "index"])


def test_the_three_lines_are_tested_on_the_same_patients_of_the_last_hospital(control):
    assert control.methods == ("ERM", NAME, "reference: target included")
    assert set(control.frame["domain"]) == {HOSPITALS[-1].name}
    erm = scores(control, "ERM")
    for method in control.methods[1:]:
        other = scores(control, method)
        assert other[["seed", "index", "y"]].values.tolist() == erm[["seed", "index", "y"]].values.tolist()
        assert (other["prob_1"].to_numpy() != erm["prob_1"].to_numpy()).any()


def test_weights_are_the_same_with_and_without_the_repair(control):
    """At the source hospitals, which nobody repairs, they predict the same; the reference does not."""
    inside = {
        name: frame.sort_values(["seed", "index"])["prob_1"] for name, frame in control.inside.groupby("algorithm")
    }
    assert (inside["ERM"].to_numpy() == inside[NAME].to_numpy()).all()
    assert (inside["ERM"].to_numpy() != inside["reference: target included"].to_numpy()).any()


def test_a_repair_that_changes_nothing_changes_no_prediction():
    same = repair_control(HOSPITALS, HOSPITALS[-1], name="nothing", **OPTIONS | {"seeds": (0,)})
    assert scores(same, "ERM")["prob_1"].tolist() == scores(same, "nothing")["prob_1"].tolist()


def test_another_hospital_is_no_repair():
    with pytest.raises(ValueError, match="repaired is 'hospital A'"):
        repair_control(HOSPITALS, HOSPITALS[0], name=NAME, **OPTIONS)
