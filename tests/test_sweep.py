"""The parts of the sweep: the primary family on the hospitals first, and a word that is no part is refused."""

import pytest

from medgen_utils.benchmark.entries import PROBLEMS
from tools.sweep import GROUPS, parts


def test_the_primary_family_on_the_hospitals_comes_first_and_every_part_comes_once():
    order = [(group, problem.name) for group, problem in parts("")]
    assert order[:2] == [("primary", "breast hospitals"), ("primary", "mitosis")]
    assert len(set(order)) == len(order) == len(GROUPS) * len(PROBLEMS)


def test_a_part_is_a_group_a_problem_or_both():
    assert {group for group, _ in parts("selection")} == {"selection"}
    assert {problem.name for _, problem in parts("mitosis")} == {"mitosis"}
    assert [(group, problem.name) for group, problem in parts("primary/mitosis")] == [("primary", "mitosis")]


def test_a_word_that_is_no_part_is_named():
    with pytest.raises(ValueError, match="everything"):
        parts("everything")
