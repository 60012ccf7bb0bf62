"""What a seed hides: the same for a seed, within its ranges, and every cause leaves its trace in the images."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from medgen_utils.sealed import cases

HIDDEN = [cases.hide(seed) for seed in range(400)]


def test_a_seed_hides_the_same_and_another_seed_something_else():
    assert cases.hide(7) == HIDDEN[7] and len({one.hospitals for one in HIDDEN}) > 300


def test_every_cause_occurs_alone_and_with_others_but_never_the_two_that_need_other_networks():
    causes = [one.causes for one in HIDDEN]
    counts = Counter(name for found in causes for name in found)
    assert set(counts) == set(cases.CAUSES) and min(counts.values()) > 60
    assert {len(found) for found in causes} == {1, 2} and ("shortcut", "graders") not in causes
    assert 0.5 < np.mean([len(found) == 1 for found in causes]) < 0.75


@pytest.mark.parametrize("cause", cases.CAUSES)
def test_a_cause_changes_what_it_is_named_after(cause):
    with_it = next(one for one in HIDDEN if one.causes == (cause,))
    home, sealed = cases.images(with_it)
    plain_home, plain = cases.images(
        cases.Hidden(with_it.seed, (), (*cases.training_hospitals(), cases.Hospital("sealed hospital",
        marker_if_benign=cases.AT_RANDOM, marker_if_malignant=cases.AT_RANDOM)))
    )  # fmt: skip
    if cause == "prevalence":
        assert sealed.true_y.float().mean() < 0.35 < plain.true_y.float().mean()
    elif cause == "graders":
        assert (home.y != home.true_y).any() and torch.equal(plain_home.y, plain_home.true_y)
        assert torch.equal(sealed.x, plain.x), "nothing differs there"
    elif cause == "shortcut":
        assert (home.marker == home.y).float().mean() > 0.9 > 0.6 > (plain_home.marker == plain_home.y).float().mean()
    elif cause == "population":
        assert sealed.nuisance["radius"].mean() < 0.75 * plain.nuisance["radius"].mean()
    else:
        assert not torch.allclose(sealed.x, plain.x, atol=0.05) and torch.equal(sealed.true_y, plain.true_y)


def test_the_two_sides_have_the_sizes_that_the_page_promises():
    home, sealed = cases.images(HIDDEN[0])
    assert len(home) == 3 * cases.HOME and len(sealed) == cases.SEALED > cases.POOL


def test_condition_names_the_training_hospitals_that_differ():
    assert {one.condition for one in HIDDEN} == {"plain", "shortcut", "graders"}
    assert all((one.condition in one.causes) or one.condition == "plain" for one in HIDDEN)


def test_cases_that_the_teachers_page_names_hide_what_it_says():
    text = (Path(__file__).parents[2] / "chapters" / "teaching" / "plans_proof.md").read_text("utf-8")
    named = re.findall(r"case (\d+) (?:hides )?(?:a )?(\w+)(?:,| and)", text)
    assert len(named) == 5
    assert [cases.hide(int(seed)).causes for seed, _ in named] == [(cause,) for _, cause in named]
    assert len(cases.hide(8).causes) == 2
