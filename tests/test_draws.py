"""Random numbers of a page: as random as they need be, the same for a seed, and what the clinic may draw from."""

import numpy as np
import pytest
import torch

from medgen_utils import clinic
from medgen_utils.draws import Stream, seed_of, streams


def test_numbers_do_not_depend_on_how_many_are_asked_for_at_once():
    at_once, in_parts = Stream(3), Stream(3)
    whole = at_once.random(10)
    np.testing.assert_array_equal(whole, np.concatenate([in_parts.random(4), in_parts.random((2, 3)).flatten()]))


def test_first_numbers_are_those_of_mulberry32_written_number_by_number():
    state, expected = 5, []
    for _ in range(4):
        state = (state + 0x6D2B79F5) % 2**32
        t = (state ^ (state >> 15)) * (state | 1) % 2**32
        t = ((t + (t ^ (t >> 7)) * (t | 61)) % 2**32) ^ t
        expected.append((((t ^ (t >> 14)) % 2**32) + 0.5) / 2**32)
    np.testing.assert_array_equal(Stream(5).random(4), expected)


def test_normal_numbers_have_the_moments_of_their_distribution():
    numbers = Stream(5).standard_normal(40_000)
    assert abs(numbers.mean()) < 0.02 and numbers.std() == pytest.approx(1, abs=0.02)
    assert (numbers**4).mean() == pytest.approx(3, abs=0.15)
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.02


def test_seeds_differ_for_other_numbers_and_another_order():
    seeds = {seed_of(a, b) for a in range(100) for b in range(100)}
    assert len(seeds) == 10_000 and all(0 <= seed < 2**32 for seed in seeds)
    assert seed_of(1, 2) == seed_of(1, 2) and seed_of(1) != seed_of(1, 0)


def test_seeds_refuse_numbers_below_zero():
    with pytest.raises(ValueError, match="-1"):
        seed_of(2, -1)


def test_clinic_draws_from_the_streams_it_is_given():
    hospitals = [clinic.Hospital("a"), clinic.Hospital("b", prevalence=0.2)]
    page, again = (clinic.make_clinic(hospitals, n=100, seed=1, streams=streams) for _ in range(2))
    assert torch.equal(page.x, again.x)
    assert not torch.equal(page.x, clinic.make_clinic(hospitals, n=100, seed=1).x)
    share = page.true_y.float().view(2, 100).mean(1)
    assert share[0] == pytest.approx(0.5, abs=0.15) and share[1] == pytest.approx(0.2, abs=0.12)
    fewer = clinic.make_clinic(hospitals, n=40, seed=1, streams=streams)
    torch.testing.assert_close(fewer.x[:40], page.x[:40])
