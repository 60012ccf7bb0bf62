"""The checks of chapter meta_learning take any right answer; its case behaves as in the chapter."""

import numpy as np
import pytest
import torch

from medgen_utils.exercises import check
from medgen_utils.exercises.meta_learning import draw_hospital, logistic_loss, rehearsed


def by_autograd(w, virtual_train, virtual_test, alpha, beta):
    def gradient(place, hospital):
        place = place.detach().requires_grad_()
        return torch.autograd.grad(logistic_loss({"w": place}, hospital), place)[0]

    on_train = gradient(w, virtual_train)
    return on_train + beta * gradient(w - alpha * on_train, virtual_test)


def test_the_first_order_gradient_may_come_from_autograd():
    assert check("meta.1", by_autograd).passed


def test_hospitals_exchanged_are_told():
    def exchanged(w, virtual_train, virtual_test, alpha, beta):
        return by_autograd(w, virtual_test, virtual_train, alpha, beta)

    assert "another gradient" in check("meta.1", exchanged, hint=0).text


def test_without_a_step_rehearsal_is_the_sum_of_two_risks():
    a, b, w = draw_hospital(0.95, 0), draw_hospital(0.55, 1), torch.tensor([0.3, -0.2], dtype=torch.float64)
    value, gradient = rehearsed(w, a, b, 0.0, 0.5, first_order=False)
    assert torch.isclose(value, logistic_loss({"w": w}, a) + 0.5 * logistic_loss({"w": w}, b))
    assert torch.allclose(gradient, by_autograd(w, a, b, 0.0, 0.5))


@pytest.mark.parametrize("agreement", [0.1, 0.55, 0.95])
def test_the_marker_agrees_as_often_as_it_should(agreement):
    x, y = draw_hospital(agreement, seed=3, n=20_000)
    assert np.isclose((x[:, 1] == 2 * y - 1).double().mean(), agreement, atol=0.02)


def test_a_split_may_hold_fewer_out_and_must_keep_to_what_is_asked():
    def drawn(n_domains, n_virtual_test, rng, most=99):
        if n_domains < 2:
            raise ValueError("one domain")
        held_out = set(rng.choice(n_domains, min(n_virtual_test, n_domains - 1, most), replace=False).tolist())
        return [i for i in range(n_domains) if i not in held_out], sorted(held_out)

    assert check("meta.2", drawn).passed
    assert "2 held out: 1 came back" in check("meta.2", lambda *a: drawn(*a, most=1), hint=0).text


def test_another_error_for_one_domain_is_not_the_one_asked_for():
    def drawn(n_domains, n_virtual_test, rng):
        order = rng.permutation(n_domains).tolist()
        assert n_domains > 1
        cut = max(1, n_domains - n_virtual_test)
        return order[:cut], order[cut:]

    assert "raise a ValueError" in check("meta.2", drawn, hint=0).text


def test_agreements_are_shares():
    assert "Three shares" in check("meta.3", (0.9, 0.9, 1.5), hint=0).text
