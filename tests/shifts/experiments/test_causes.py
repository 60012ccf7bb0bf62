"""One cause at a time: each leaves its mark in the right number, and nothing else is different."""

from dataclasses import replace

import pytest

from medgen_utils.clinic import Hospital
from medgen_utils.shifts.experiments import NUMBERS, TESTS, home_model, one_at_a_time

HOME = Hospital("home", irregularity=0.2)
CAUSES = {"no shift": (HOME, {}), "scanner": (HOME, {"gain": 0.3}), "prevalence": (HOME, {"prevalence": 0.1})}


@pytest.fixture(scope="module")
def found():
    return one_at_a_time(CAUSES, seeds=(0,), steps=80, n=600, n_repeats=1)


def test_tables_have_a_row_a_run_and_number(found):
    assert list(found.changes["metric"].unique()) == list(NUMBERS) and len(found.changes) == 15
    assert list(found.noticed["test"].unique()) == list(TESTS) and len(found.noticed) == 15
    assert list(found.changes["cause"].unique()) == list(CAUSES)
    assert len(found.verdicts) == len(found.reports) == 6


def test_every_cause_leaves_its_mark(found):
    change = found.changes.set_index(["cause", "metric"])["value"]
    noticed = found.noticed.set_index(["cause", "test"])["value"]
    assert abs(change["no shift", "AUROC"]) < 0.05 and noticed["no shift", "MMD, pixels"] <= 0.3
    assert noticed["scanner", "MMD, pixels"] == noticed["scanner", "domain classifier"] == 1
    assert change["prevalence", "right alarms"] < -0.1 and noticed["prevalence", "predicted labels"] >= 0.8


def test_verdicts_are_those_of_the_reports(found):
    verdicts = found.verdicts.set_index(["cause", "seed", "labels"])["verdict"]
    assert {key: report.verdict for key, report in found.reports.items()} == verdicts.to_dict()
    assert verdicts["prevalence", 0, "with"] == "prior shift"
    assert "outputs within a class" not in set(found.reports["scanner", 0, "without"].evidence["test"])


def test_a_home_model_is_of_its_hospital_and_seed():
    same = [home_model(HOME, seed=1, steps=2, n=60).classifier.weight for _ in range(2)]
    other = home_model(replace(HOME, gain=0.5), seed=1, steps=2, n=60).classifier.weight
    assert same[0].equal(same[1]) and not same[0].equal(other)
