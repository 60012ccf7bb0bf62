"""A linear probe against logistic regression written out, weights as copies, and balance as weights."""

import numpy as np
import torch

from medgen_utils.probes import linear_probe

RNG = np.random.default_rng(0)
Y = (RNG.random(120) < 0.3).astype(int)
Z = RNG.standard_normal((120, 4)) + Y[:, None]


def test_the_gradient_of_the_penalised_loss_is_zero_at_the_solution():
    probe = linear_probe(Z, Y, 0.5)
    w = torch.tensor(np.r_[probe[-1].coef_[0], probe[-1].intercept_], requires_grad=True)
    x = torch.tensor(np.c_[(Z - Z.mean(0)) / Z.std(0), np.ones(len(Z))])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ w, torch.tensor(Y, dtype=torch.float64))
    (loss * len(Z) + w[:-1].square().sum() / (2 * 0.5)).backward()
    assert w.grad.abs().max() < 0.02


def test_tensors_and_arrays_are_alike():
    a, b = linear_probe(torch.tensor(Z), torch.tensor(Y)), linear_probe(Z, Y)
    assert np.array_equal(a.predict_proba(Z), b.predict_proba(Z))


def test_balanced_is_a_weight_for_each_class():
    weights = np.where(Y == 1, 1 / Y.mean(), 1 / (1 - Y.mean())) / 2
    balanced, weighted = linear_probe(Z, Y, balanced=True), linear_probe(Z, Y, weights=weights)
    assert np.allclose(balanced[-1].coef_, weighted[-1].coef_, atol=1e-3)
    assert not np.allclose(balanced[-1].intercept_, linear_probe(Z, Y)[-1].intercept_, atol=0.1)
