"""The checks of chapter generalization_gap take any right answer, and see what is constant, swapped or halved."""

import pytest

from medgen_utils import evaluation
from medgen_utils.clinic import acquisition_hospitals
from medgen_utils.exercises import check


def by_a_table(matrix):
    table = matrix.pivot(index="algorithm", columns="domain", values="value")
    return max(table.index, key=lambda name: table.loc[name].min())


def test_the_worst_case_may_be_found_by_a_table():
    assert check("gap.1", by_a_table).passed


def test_a_constant_name_does_not_pass():
    assert not check("gap.1", lambda matrix: "b", hint=0).passed


def test_widths_may_come_as_a_list():
    def widths(y, score, patient):
        found = [evaluation.bootstrap_interval(evaluation.auroc, y, score, groups=g) for g in (patient, None)]
        return [interval.high - interval.low for interval in found]

    assert check("gap.2", widths).passed


@pytest.mark.parametrize(("widths", "said"), [((0.2, 0.19), "factor of about two"), ((-0.2, -0.1), "above 0")])
def test_impossible_widths_are_told(widths, said):
    assert said in check("gap.2", lambda *a: widths).text


@pytest.mark.parametrize(
    ("at_home", "changed", "said"),
    [(0.9, 0.9, "costs nothing"), (1.2, 0.5, "between 0 and 1"), (0.2, 0.1, "class 1"), (0.9, 0.6, "Plausible")],
)
def test_the_score_of_a_scanner_falls_with_its_gain(at_home, changed, said):
    hospitals = acquisition_hospitals()
    given = check("gap.3", lambda name, value: changed if value == 0.3 else at_home, hospitals=hospitals)
    assert said in given.text
