"""Penalties against independent versions, numeric gradients and limits."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from medgen_utils.feature_alignment import (
    class_conditional,
    coral,
    fishr_penalty,
    ganin_schedule,
    gradient_reversal,
    group_dro_weights,
    irm_penalty,
    mmd,
    vrex_penalty,
)
from tests.feature_alignment.examples import draw

GAMMAS = (0.1, 1.0)


def mmd_with_gammas(z_a, z_b):
    return mmd(z_a, z_b, GAMMAS)


def numpy_coral(a, b):
    means = np.mean((a.mean(0) - b.mean(0)) ** 2)
    return means + np.mean((np.cov(a, rowvar=False, ddof=1) - np.cov(b, rowvar=False, ddof=1)) ** 2)


def numpy_mmd(a, b, gammas=None):
    def kernel(u, v):
        squared = np.array([[np.sum((p - q) ** 2) for q in v] for p in u])
        return sum(np.exp(-gamma * squared) for gamma in gammas)

    if gammas is None:
        both = np.concatenate([a, b])
        pairs = [np.sum((both[i] - both[j]) ** 2) for i in range(len(both)) for j in range(i)]
        gammas = [1 / np.quantile(pairs, 0.5, method="lower")]
    return kernel(a, a).mean() + kernel(b, b).mean() - 2 * kernel(a, b).mean()


def numpy_slope(logits, y, step=1e-6):
    def risk(scale):
        scores = scale * logits
        return np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(len(y)), y])

    return (risk(1 + step) - risk(1 - step)) / (2 * step)


def loop_fishr(features, logits, labels):
    """Per-sample gradients by automatic differentiation, one image at a time; then NumPy."""
    variances = []
    for z, scores, y in zip(features, logits, labels, strict=True):
        rows = []
        for i in range(len(y)):
            weight = torch.zeros(scores.shape[1], z.shape[1], dtype=z.dtype, requires_grad=True)
            bias = scores[i].detach().clone().requires_grad_()
            loss = nn.functional.cross_entropy((weight @ z[i].detach() + bias)[None], y[i : i + 1])
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, (weight, bias))]).numpy())
        variances.append(np.var(rows, axis=0))
    return np.mean((np.array(variances) - np.mean(variances, axis=0)) ** 2)


def test_coral_equals_numpy(generator):
    a, b = draw(7, 3, generator=generator), draw(5, 3, generator=generator, offset=1.0)
    np.testing.assert_allclose(coral(a, b).item(), numpy_coral(a.detach().numpy(), b.detach().numpy()), rtol=1e-8)


@pytest.mark.parametrize("gammas", [None, GAMMAS])
def test_mmd_equals_numpy(gammas, generator):
    a, b = draw(7, 3, generator=generator), draw(5, 3, generator=generator, offset=1.0)
    expected = numpy_mmd(a.detach().numpy(), b.detach().numpy(), gammas)
    np.testing.assert_allclose(mmd(a, b, gammas).item(), expected, rtol=1e-8)


def test_irm_equals_the_product_of_two_slopes(generator):
    logits, y = 2 * draw(7, 3, generator=generator).detach(), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    expected = numpy_slope(logits[0::2].numpy(), y[0::2].numpy()) * numpy_slope(logits[1::2].numpy(), y[1::2].numpy())
    np.testing.assert_allclose(irm_penalty(logits, y).item(), expected, rtol=1e-6)


def test_irm_equals_automatic_differentiation(generator):
    logits, y = 2 * draw(7, 3, generator=generator).detach(), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    halves = [nn.functional.cross_entropy(scale * logits[k::2], y[k::2]) for k in (0, 1)]
    even, odd = (torch.autograd.grad(half, scale)[0] for half in halves)
    np.testing.assert_allclose(irm_penalty(logits, y).item(), (even * odd).item(), rtol=1e-8)


def test_fishr_equals_a_loop_over_images(generator):
    features = [draw(n, 4, generator=generator) for n in (5, 7, 6)]
    logits = [draw(n, 3, generator=generator) for n in (5, 7, 6)]
    labels = [torch.randint(3, (n,), generator=generator) for n in (5, 7, 6)]
    actual = fishr_penalty(features, logits, labels).item()
    np.testing.assert_allclose(actual, loop_fishr(features, logits, labels), rtol=1e-8)


def test_vrex_and_group_dro_equal_numpy():
    risks = torch.tensor([0.3, 0.9, 0.6], dtype=torch.float64)
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    np.testing.assert_allclose(vrex_penalty(risks).item(), np.var(risks.numpy()), rtol=1e-8)
    expected = weights.numpy() * np.exp(0.7 * risks.numpy())
    actual = group_dro_weights(weights, risks, 0.7).numpy()
    np.testing.assert_allclose(actual, expected / expected.sum(), rtol=1e-8)


@pytest.mark.parametrize("distance", [coral, mmd_with_gammas])
def test_gradients_of_distances(distance, generator):
    a, b = draw(4, 3, generator=generator), draw(5, 3, generator=generator)
    assert gradcheck(distance, (a, b))
    y = torch.tensor([0, 0, 1, 1, 1])
    assert gradcheck(lambda z_a, z_b: class_conditional(distance, z_a, y[:4], z_b, y), (a, b))


def test_gradient_of_mmd_holds_the_median_constant(generator):
    a, b = draw(4, 3, generator=generator), draw(5, 3, generator=generator)
    both = torch.cat([a, b]).detach()
    pairs = torch.pdist(both).square()
    with_median = torch.autograd.grad(mmd(a, b), (a, b))
    given = torch.autograd.grad(mmd(a, b, [1 / pairs.median()]), (a, b))
    torch.testing.assert_close(with_median, given)


def test_gradients_of_risk_and_gradient_penalties(generator):
    y = torch.tensor([0, 1, 1, 0])
    assert gradcheck(vrex_penalty, (draw(3, generator=generator),))
    assert gradcheck(lambda logits: irm_penalty(logits, y), (draw(4, 2, generator=generator),))
    inputs = tuple(draw(4, d, generator=generator) for d in (3, 3, 2, 2))
    assert gradcheck(lambda z_a, z_b, s_a, s_b: fishr_penalty([z_a, z_b], [s_a, s_b], [y, 1 - y]), inputs)


def test_gradient_reversal_is_the_identity_forward_and_minus_the_weight_backward(generator):
    z, incoming = draw(4, 3, generator=generator), torch.rand(4, 3, generator=generator, dtype=torch.float64)
    out = gradient_reversal(z, 0.3)
    assert torch.equal(out, z)
    out.backward(incoming)
    torch.testing.assert_close(z.grad, -0.3 * incoming)


def test_group_dro_weights_carry_no_gradient():
    risks = torch.tensor([0.3, 0.9], requires_grad=True)
    assert not group_dro_weights(torch.full((2,), 0.5), risks, 0.1).requires_grad


def test_ganin_schedule():
    actual = [ganin_schedule(p) for p in (0, 0.1, 0.5, 1)]
    np.testing.assert_allclose(actual, [0, 0.4621171573, 0.9866142982, 0.9999092043], atol=1e-10)


@pytest.mark.parametrize("distance", [coral, mmd, mmd_with_gammas])
def test_identical_features_have_distance_zero(distance, generator):
    z = draw(6, 3, generator=generator)
    assert distance(z, z.clone()).abs() < 1e-12
    assert distance(z, z + 1) > 0.01


@pytest.mark.parametrize("distance", [coral, mmd, mmd_with_gammas])
def test_distances_are_symmetric(distance, generator):
    a, b = draw(6, 3, generator=generator), draw(4, 3, generator=generator)
    torch.testing.assert_close(distance(a, b), distance(b, a))


def test_coral_sees_the_mean_alone_and_the_covariance_alone(generator):
    z = draw(6, 3, generator=generator)
    torch.testing.assert_close(coral(z, z + 2), torch.tensor(4.0, dtype=torch.float64))
    centred = z - z.mean(0)
    covariance = torch.cov(z.T)
    torch.testing.assert_close(coral(centred, 2 * centred), (3 * covariance).square().mean())


@pytest.mark.parametrize("unit", [1e-3, 0.1, 1e3])
def test_mmd_does_not_depend_on_the_unit_of_the_features(unit, generator):
    a, b = draw(6, 3, generator=generator), draw(5, 3, generator=generator, offset=1.0)
    torch.testing.assert_close(mmd(unit * a, unit * b), mmd(a, b))
    assert mmd(torch.ones(3, 2), torch.ones(2, 2)).isfinite(), "features that are all alike have no distance"


def test_mmd_of_one_gamma_is_a_gaussian_kernel_not_a_laplacian():
    a, b = torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), 3.0, dtype=torch.float64)
    np.testing.assert_allclose(mmd(a, b, [0.2]).item(), 2 - 2 * np.exp(-0.2 * 9), rtol=1e-12)


def test_class_conditional_is_zero_when_only_the_prevalence_differs():
    benign, malignant = torch.tensor([[0.0, 1.0]]), torch.tensor([[5.0, 2.0]])
    z_a, y_a = torch.cat([benign.repeat(8, 1), malignant.repeat(2, 1)]), torch.tensor([0] * 8 + [1] * 2)
    z_b, y_b = torch.cat([benign.repeat(2, 1), malignant.repeat(8, 1)]), torch.tensor([0] * 2 + [1] * 8)
    assert coral(z_a, z_b) > 1
    assert class_conditional(coral, z_a, y_a, z_b, y_b) == 0


def test_class_conditional_without_a_common_class_is_zero(generator):
    a, b = draw(4, 3, generator=generator), draw(4, 3, generator=generator)
    y = torch.zeros(4, dtype=torch.int64)
    assert class_conditional(coral, a, y, b, y + 1) == 0


def test_equal_risks_have_no_variance_and_keep_the_weights():
    assert vrex_penalty(torch.full((4,), 0.7)) == 0
    torch.testing.assert_close(
        group_dro_weights(torch.tensor([0.2, 0.8]), torch.ones(2), 5.0), torch.tensor([0.2, 0.8])
    )


def test_group_dro_concentrates_on_the_worst_domain():
    weights, risks = torch.full((3,), 1 / 3), torch.tensor([0.2, 0.9, 0.5])
    for _ in range(200):
        weights = group_dro_weights(weights, risks, 0.1)
    assert weights[1] > 0.99
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_irm_penalty_is_zero_where_no_rescaling_helps():
    """Logits (0, s) with sigmoid(s) equal to the share of class 1 in each half: calibrated, so the slope is 0."""
    y = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1])
    score = torch.full((8,), float(np.log(3)), dtype=torch.float64)
    logits = torch.stack([torch.zeros_like(score), score], dim=1)
    assert irm_penalty(logits, y).abs() < 1e-12
    assert irm_penalty(2 * logits, y).abs() > 1e-3


def test_irm_penalty_may_be_negative():
    logits = torch.tensor([[0.0, 2.0], [0.0, 2.0]])
    assert irm_penalty(logits, torch.tensor([1, 0])) < 0


def test_fishr_is_zero_for_identical_domains(generator):
    z, logits, y = draw(6, 3, generator=generator), draw(6, 2, generator=generator), torch.tensor([0, 1, 0, 1, 1, 1])
    assert fishr_penalty([z, z.clone()], [logits, logits.clone()], [y, y]).item() == 0
    assert fishr_penalty([z, 2 * z], [logits, logits], [y, y]).item() > 0


@pytest.mark.parametrize(
    ("call", "sizes"),
    [
        (lambda: coral(torch.rand(1, 3), torch.rand(4, 3)), "1 image"),
        (lambda: irm_penalty(torch.rand(1, 2), torch.zeros(1, dtype=torch.int64)), "1 image"),
    ],
)
def test_wrong_use_is_refused(call, sizes):
    with pytest.raises(ValueError, match=sizes):
        call()


def test_a_class_with_one_image_in_a_domain_is_left_out(generator):
    a, b = draw(3, 4, generator=generator), draw(5, 4, generator=generator)
    y_a, y_b = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0, 1, 1])
    torch.testing.assert_close(class_conditional(coral, a, y_a, b, y_b), coral(a[:2], b[:3]))


def test_features_that_are_all_equal_have_no_distance_and_no_gradient():
    """The median distance of all pairs is zero then, and a kernel as wide as that would divide by it."""
    z = torch.full((6, 3), 0.4, requires_grad=True)
    value = mmd(z[:2], z[2:])
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6) and z.grad.isfinite().all()
