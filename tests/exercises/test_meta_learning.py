"""The checks of chapter meta_learning take any right answer and tell the usual wrong ones."""

import torch

from medgen_utils.exercises import check
from medgen_utils.meta_learning.two_weights import risk


def by_autograd(w, virtual_train, virtual_test, alpha, beta):
    def gradient(place, hospital):
        place = place.detach().requires_grad_()
        return torch.autograd.grad(risk(place, hospital), place)[0]

    on_train = gradient(w, virtual_train)
    return on_train + beta * gradient(w - alpha * on_train, virtual_test)


def test_the_first_order_gradient_may_come_from_autograd():
    assert check("meta.1", by_autograd).passed


def test_hospitals_exchanged_are_told():
    def exchanged(w, virtual_train, virtual_test, alpha, beta):
        return by_autograd(w, virtual_test, virtual_train, alpha, beta)

    assert "another gradient" in check("meta.1", exchanged, hint=0).text


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
