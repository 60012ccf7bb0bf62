import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from medgen_utils.meta_learning.objectives import global_class_alignment, gradients_of, meta_gradient


def quadratic(params, batch):
    """curvature / 2 * |w - minimum|^2, summed over coordinates; batch = (curvature, minimum)."""
    curvature, minimum = batch
    return (curvature / 2 * (params["w"] - minimum) ** 2).sum()


class TestMetaGradient:
    @pytest.mark.parametrize("first_order", [False, True])
    def test_quadratics_agree_with_the_derivation_by_hand(self, first_order):
        # F = 2/2 (w-1)^2, G = 4/2 (w+1)^2, w = 3, step 0.1: grad F = 4, ahead = 2.6, G = 25.92, grad G = 14.4,
        # and d ahead / d w = 1 - 0.1 * 2 = 0.8
        params = {"w": torch.tensor(3.0, dtype=torch.float64)}
        f, g = (torch.tensor(2.0), torch.tensor(1.0)), (torch.tensor(4.0), torch.tensor(-1.0))
        value, gradients = meta_gradient(
            quadratic, params, f, g, inner_learning_rate=0.1, beta=0.5, first_order=first_order
        )
        assert value.item() == pytest.approx(4 + 0.5 * 25.92)
        assert gradients["w"].item() == pytest.approx(4 + 0.5 * 14.4 * (1.0 if first_order else 0.8))

    @pytest.mark.parametrize("beta", [0.3, 2.0])
    def test_exact_gradient_equals_finite_differences(self, beta):
        network, params, f, g = small_problem()
        settings = {"inner_learning_rate": 0.4, "beta": beta, "first_order": False}
        _, gradients = meta_gradient(loss_of(network), params, f, g, **settings)
        for name, parameter in params.items():
            for i in range(parameter.numel()):
                at = np.unravel_index(i, parameter.shape)
                values = []
                for shift in (1e-5, -1e-5):
                    moved = {key: p.clone() for key, p in params.items()}
                    moved[name][at] += shift
                    values.append(meta_gradient(loss_of(network), moved, f, g, **settings)[0].item())
                assert gradients[name][at].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-8)

    def test_value_is_the_loss_after_an_explicit_step(self):
        network, params, f, g = small_problem()
        leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
        loss_f = loss_of(network)(leaves, f)
        steps = torch.autograd.grad(loss_f, list(leaves.values()))
        ahead = {name: p - 0.4 * step for (name, p), step in zip(params.items(), steps, strict=True)}
        expected = loss_f + 2.0 * loss_of(network)(ahead, g)
        for first_order in (False, True):
            value, _ = meta_gradient(
                loss_of(network), params, f, g, inner_learning_rate=0.4, beta=2.0, first_order=first_order
            )
            torch.testing.assert_close(value, expected.detach())

    def test_first_order_tends_to_exact_as_the_inner_step_shrinks(self):
        network, params, f, g = small_problem()
        differences = []
        for inner_learning_rate in (1e-1, 1e-2, 1e-3, 0.0):
            exact, first = (
                meta_gradient(
                    loss_of(network), params, f, g,
                    inner_learning_rate=inner_learning_rate, beta=1.0, first_order=first_order,
                )[1]
                for first_order in (False, True)
            )  # fmt: skip
            differences.append(max((exact[name] - first[name]).abs().max().item() for name in params))
        assert differences[0] > 1e-4
        assert differences[1] == pytest.approx(differences[0] / 10, rel=0.3)
        assert differences[2] == pytest.approx(differences[1] / 10, rel=0.3)
        assert differences[3] < 1e-12

    def test_to_first_order_in_the_step_it_rewards_agreeing_gradients(self):
        # d/dw [F + beta G - beta a <grad F, grad G>], the Taylor view, against the exact gradient at a small step
        network, params, f, g = small_problem()
        loss, step, beta = loss_of(network), 1e-4, 1.5

        def taylor(params):
            at_f, at_g = torch.func.grad(loss)(params, f), torch.func.grad(loss)(params, g)
            agreement = sum((at_f[name] * at_g[name]).sum() for name in params)
            return loss(params, f) + beta * loss(params, g) - beta * step * agreement

        _, exact = meta_gradient(loss, params, f, g, inner_learning_rate=step, beta=beta, first_order=False)
        _, plain = meta_gradient(loss, params, f, g, inner_learning_rate=0.0, beta=beta, first_order=False)
        expected = torch.func.grad(taylor)(params)
        for name in params:
            torch.testing.assert_close(exact[name] - plain[name], expected[name] - plain[name], rtol=1e-2, atol=1e-9)

    @pytest.mark.parametrize("first_order", [False, True])
    def test_nothing_is_changed_and_beta_zero_is_the_gradient_of_the_training_loss(self, first_order):
        network, params, f, g = small_problem()
        before = {name: p.clone() for name, p in params.items()}
        value, gradients = meta_gradient(
            loss_of(network), params, f, g, inner_learning_rate=0.4, beta=0.0, first_order=first_order
        )
        expected = torch.func.grad(loss_of(network))(params, f)
        assert value == loss_of(network)(params, f)
        assert all(torch.equal(gradients[name], expected[name]) for name in params)
        assert all(torch.equal(params[name], before[name]) for name in params)

    def test_over_both_splits_first_order_keeps_half_of_the_reward_for_agreement(self):
        network, params, f, g = small_problem()

        def reward(step, first_order):
            """What the look-ahead adds to the gradient, summed over the two ways to hold one domain out."""
            total = {name: torch.zeros_like(p) for name, p in params.items()}
            for sign, inner in ((1, step), (-1, 0.0)):
                for train, test in ((f, g), (g, f)):
                    settings = {"inner_learning_rate": inner, "beta": 1.0, "first_order": first_order}
                    _, gradients = meta_gradient(loss_of(network), params, train, test, **settings)
                    total = {name: value + sign * gradients[name] for name, value in total.items()}
            return torch.cat([value.flatten() for value in total.values()]) / step

        torch.testing.assert_close(reward(1e-4, True), reward(1e-4, False) / 2, rtol=1e-2, atol=1e-5)

    def test_a_loss_of_its_own_judges_the_look_ahead(self):
        params = {"w": torch.tensor(3.0)}
        value, gradients = meta_gradient(
            quadratic, params, (torch.tensor(2.0), torch.tensor(1.0)), 10.0,
            inner_learning_rate=0.1, beta=1.0, first_order=False, test_loss=lambda params, scale: scale * params["w"],
        )  # fmt: skip
        assert value.item() == pytest.approx(4 + 26)
        assert gradients["w"].item() == pytest.approx(4 + 10 * 0.8)


def small_problem():
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    f, g = (
        (torch.randn(6, 3, generator=generator).double(), torch.randint(2, (6,), generator=generator)) for _ in "fg"
    )
    return network, {name: p.detach() for name, p in network.named_parameters()}, f, g


def loss_of(network):
    return lambda params, batch: F.cross_entropy(functional_call(network, params, batch[0]), batch[1])


class TestGlobalClassAlignment:
    def test_it_is_zero_for_a_domain_and_itself(self):
        logits, y = torch.randn(8, 3, dtype=torch.float64), torch.arange(8) % 3
        assert global_class_alignment(logits, y, logits.flip(0), y.flip(0), 2.0).item() == pytest.approx(0, abs=1e-12)

    def test_it_equals_the_formula_written_in_numpy(self):
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(7, 3)), rng.normal(size=(5, 3))
        y_a, y_b = np.array([0, 0, 1, 1, 1, 2, 2]), np.array([1, 2, 2, 1, 1])  # class 0 is missing in b
        terms = []
        for c in (1, 2):
            p, q = (np.exp(z[y == c].mean(0) / 2) for z, y in ((a, y_a), (b, y_b)))
            p, q = p / p.sum(), q / q.sum()
            terms.append(0.5 * (p * np.log(p / q)).sum() + 0.5 * (q * np.log(q / p)).sum())
        value = global_class_alignment(*map(torch.tensor, (a, y_a, b, y_b)), 2.0)
        assert value.item() == pytest.approx(np.mean(terms), rel=1e-10)

    def test_the_order_of_the_domains_does_not_matter_and_it_is_never_negative(self):
        logits, y = torch.randn(2, 9, 4), torch.randint(4, (2, 9))
        one = global_class_alignment(logits[0], y[0], logits[1], y[1], 2.0)
        other = global_class_alignment(logits[1], y[1], logits[0], y[0], 2.0)
        torch.testing.assert_close(one, other)
        assert one >= 0

    def test_its_gradient_is_right(self):
        y_a, y_b = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 1, 2])
        logits = [torch.randn(n, 3, dtype=torch.float64, requires_grad=True) for n in (4, 3)]
        assert torch.autograd.gradcheck(lambda a, b: global_class_alignment(a, y_a, b, y_b, 2.0), logits)

    def test_domains_without_a_common_class_have_nothing_to_align(self):
        logits = torch.randn(4, 2, requires_grad=True)
        value = global_class_alignment(logits, torch.zeros(4).long(), torch.randn(3, 2), torch.ones(3).long(), 2.0)
        value.backward()
        assert value == 0
        assert torch.equal(logits.grad, torch.zeros(4, 2))

    def test_a_temperature_of_zero_is_an_error(self):
        y = torch.zeros(2).long()
        with pytest.raises(ValueError, match="temperature=0"):
            global_class_alignment(torch.zeros(2, 2), y, torch.zeros(2, 2), y, 0)


def test_a_graph_of_the_gradient_is_kept_where_it_is_asked_for_and_only_there():
    params = {"w": torch.tensor([3.0], requires_grad=True)}
    plain, kept = (gradients_of((params["w"] ** 3).sum(), params, *asked)["w"] for asked in ((), (True,)))
    torch.testing.assert_close(plain, kept.detach())
    assert kept.requires_grad and not plain.requires_grad


@pytest.mark.parametrize("channels", [1, 3])
def test_the_look_ahead_lies_in_memory_as_the_weights_do(channels):
    """Otherwise its convolutions take another and slower way: for images of one channel the layout is ambiguous."""
    weights = torch.randn(16, channels, 3, 3).to(memory_format=torch.channels_last)
    x = torch.randn(8, channels, 12, 12).to(memory_format=torch.channels_last)
    strides = []

    def loss(params, batch):
        strides.append(params["w"].stride())
        return F.conv2d(batch, params["w"]).square().mean()

    meta_gradient(loss, {"w": weights}, x, x, inner_learning_rate=0.1, beta=1.0, first_order=True)
    assert strides == [weights.stride()] * 2
