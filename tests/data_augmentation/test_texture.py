"""Random convolutions, and AugMix: its moves, its blend, its divergence."""

import math

import numpy as np
import pytest
import torch

from medgen_utils import data_augmentation as A
from medgen_utils.data_augmentation.texture import small_move, warp
from tests.data_augmentation.examples import generator, images


def test_random_convolution_of_size_one_scales_a_grey_image():
    x = images(channels=1)
    y = A.random_convolution(x, generator(), 2.0, mix=False, kernel_sizes=(1,))
    ratio = (y - 0.5) / (x - 0.5)
    assert (ratio - ratio.median()).abs()[(x - 0.5).abs() > 0.05].max() < 1e-3


def test_random_convolution_keeps_the_energy_on_average():
    x = torch.randn(4, 3, 28, 28, generator=generator()) + 0.5
    source = generator(1)
    powers = [
        (A.random_convolution(x, source, 2.0, mix=False) - 0.5)[..., 3:-3, 3:-3].square().mean() for _ in range(300)
    ]
    assert 0.85 < float(torch.stack(powers).mean()) < 1.15


def test_augmix_shifts_by_the_stated_share_of_the_side():
    x = images(channels=1, n=1)
    kind, amount = torch.tensor([3]), torch.tensor([30 / 28])  # 1/30 of 28 pixels a unit: one pixel
    moved = warp(x, small_move(kind, amount))
    torch.testing.assert_close(moved[..., :-1], x[..., 1:], atol=1e-4, rtol=0)


def test_augmix_turns_a_quarter_like_rot90():
    x = images(channels=1, n=1)
    turned = warp(x, small_move(torch.tensor([0]), torch.tensor([30.0])))
    quarter = [torch.rot90(x, k, (2, 3)) for k in (1, -1)]
    assert min(float((turned - q).abs().max()) for q in quarter) < 1e-3


def test_jsd_is_the_mean_of_three_divergences_in_numpy():
    logits = torch.randn(3, 5, 4, generator=generator())
    p = np.exp(logits.double().numpy())
    p /= p.sum(2, keepdims=True)
    expected = np.mean([(q * np.log(q / p.mean(0))).sum(1).mean() for q in p])
    np.testing.assert_allclose(A.augmix_jsd(*logits), expected, rtol=1e-5)


def test_jsd_is_zero_for_equal_predictions_and_log_3_at_most():
    logits = torch.randn(5, 3, generator=generator())
    assert A.augmix_jsd(logits, logits, logits).abs() < 1e-6
    apart = 50 * torch.eye(3)[:, None].expand(3, 4, 3)
    torch.testing.assert_close(A.augmix_jsd(*apart), torch.tensor(math.log(3)))


def test_augmix_stays_in_range_and_near_its_images():
    x = images(channels=1)
    y = A.augmix(x, generator(), 1.0)
    assert y.min() >= 0 and y.max() <= 1 and (y - x).abs().mean() < 0.1 and not torch.equal(x, y)


@pytest.mark.parametrize(("width", "depth"), [(1, 1), (3, 1), (2, 3)])
def test_augmix_is_the_blend_of_chains_that_it_draws(width, depth):
    """One to ``depth`` operations a chain; every turn, shear, shift and rounding is applied to one image by itself."""
    x, severity, n = images(channels=1, n=5), 2.0, 5
    found = A.augmix(x, generator(3), severity, width=width, depth=depth)
    draws = generator(3)
    kinds = torch.randint(6, (width, n, depth), generator=draws)
    amounts = severity * (2 * torch.rand(width, n, depth, generator=draws) - 1)
    lengths = torch.randint(depth, (width, n), generator=draws) + 1
    blend = torch.distributions.utils.clamp_probs(torch.rand(width, n, generator=draws)).log()
    share = torch.rand(n, generator=draws)
    for i in range(n):
        chains = []
        for c in range(width):
            operations = list(zip(kinds[c, i], amounts[c, i], strict=True))[: int(lengths[c, i])]
            matrix = torch.eye(3)
            for kind, amount in operations:
                matrix = small_move(kind[None], amount[None])[0] @ matrix
            y = warp(x[i : i + 1], matrix[None])[0]
            steps = [abs(float(amount)) / 100 for kind, amount in operations if kind == 5]
            chains.append((y / max(steps)).round() * max(steps) if steps else y)
        weights = blend[:, i] / blend[:, i].sum()
        mixed = sum(weight * y for weight, y in zip(weights, chains, strict=True))
        torch.testing.assert_close(found[i], share[i] * x[i] + (1 - share[i]) * mixed, atol=1e-5, rtol=0)
