"""Intensity jitter is made of its formulas; its fast parts do what the slow ones do."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from medgen_utils import data_augmentation as A
from medgen_utils.data_augmentation import intensity
from tests.data_augmentation.examples import generator, images


def test_compose_applies_in_order():
    composed = A.compose(lambda x, g: x + 1, lambda x, g: 2 * x)
    assert composed(torch.zeros(1), generator()) == 2


def test_standardized_images_have_mean_zero_variance_one_and_forget_gain_and_offset():
    x = images()
    z = A.standardize_per_image(x)
    torch.testing.assert_close(z.mean((1, 2, 3)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var((1, 2, 3), correction=0), torch.ones(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(A.standardize_per_image(0.3 * x + 0.2), z, atol=1e-3, rtol=0)


def test_a_constant_image_standardizes_to_zero():
    assert A.standardize_per_image(torch.full((2, 1, 28, 28), 0.7)).abs().max() < 1e-2


@pytest.mark.parametrize("part", ["gamma", "contrast", "gain", "brightness"])
def test_each_part_of_intensity_jitter_is_its_formula(part):
    x = images(n=3).clamp(0.2, 0.8)
    only = dict.fromkeys(("gamma", "contrast", "gain", "brightness"), 0.0) | {part: 0.1}
    u = 0.1 * (2 * torch.rand(6, 3, generator=generator())[:4] - 1)
    u = dict(zip(("gamma", "contrast", "gain", "brightness"), u, strict=True))[part].view(3, 1, 1, 1)
    mean = x.mean((1, 2, 3), keepdim=True)
    expected = {
        "gamma": x ** u.exp(),
        "contrast": (x - mean) * u.exp() + mean,
        "gain": x * u.exp(),
        "brightness": x + u,
    }
    torch.testing.assert_close(A.intensity_jitter(x, generator(), **only), expected[part], atol=1e-5, rtol=0)


def test_the_blur_and_the_noise_of_intensity_jitter_are_drawn_up_to_what_is_said():
    x = images(n=3).clamp(0.3, 0.7)
    still = dict.fromkeys(("gamma", "contrast", "gain", "brightness"), 0.0)
    softness, grain = torch.rand(6, 3, generator=generator())[4:]
    blurred = A.intensity_jitter(x, generator(), blur=2.0, **still)
    torch.testing.assert_close(blurred, intensity.gaussian_blur(x, 2 * softness), atol=1e-5, rtol=0)
    added = A.intensity_jitter(x, generator(), noise=0.05, **still) - x
    torch.testing.assert_close(added.std((1, 2, 3)), 0.05 * grain, atol=0, rtol=0.15)
    torch.testing.assert_close(A.intensity_jitter(x, generator(), **still), x, atol=1e-6, rtol=0)


def test_gamma_is_a_power_from_black_to_white():
    x = torch.cat([torch.zeros(1), torch.logspace(-8, 0, 783)]).view(1, 1, 28, 28).repeat(8, 1, 1, 1)
    y = A.intensity_jitter(x, generator(), contrast=0, gain=0, brightness=0)
    exponent = (0.4 * (2 * torch.rand(6, 8, generator=generator())[0] - 1)).exp().view(8, 1, 1, 1)
    torch.testing.assert_close(y, x**exponent, atol=5e-5, rtol=1e-4)


def test_black_stays_black_under_gamma_and_negative_values_do_no_harm():
    x = torch.tensor([-0.1, 0.0]).view(1, 1, 1, 2).repeat(8, 1, 2, 1)
    y = A.intensity_jitter(x, generator(), contrast=0, gain=0, brightness=0)
    assert y.abs().max() < 1e-4


@pytest.mark.parametrize("sigma", [0.0, 0.3, 1.0, 2.5])
def test_blur_is_a_gaussian_filter(sigma):
    from scipy.ndimage import gaussian_filter

    x = images(n=2, size=40)
    y = intensity.gaussian_blur(x, torch.full((2,), sigma))
    radius = max(1, math.ceil(3 * sigma))
    expected = x if sigma == 0 else gaussian_filter(x.numpy(), sigma, axes=(2, 3), radius=radius)
    inner = slice(radius, -radius)
    np.testing.assert_allclose(y[..., inner, inner], torch.as_tensor(expected)[..., inner, inner], atol=2e-4)


def test_blur_keeps_a_constant_image_up_to_the_border():
    x = torch.full((2, 3, 28, 28), 0.6)
    torch.testing.assert_close(intensity.gaussian_blur(x, torch.tensor([0.5, 2.0])), x)


def test_a_wide_blur_is_the_convolution_that_a_narrow_one_is(monkeypatch):
    """A wide blur is computed another way; both ways agree, the border included."""
    x, sigma = images(n=2, size=40), torch.tensor([0.8, 4.0])
    wide = intensity.gaussian_blur(x, sigma)
    monkeypatch.setattr(intensity, "WIDE", 100)
    torch.testing.assert_close(wide, intensity.gaussian_blur(x, sigma))


@pytest.mark.parametrize("sigma", [1.0, 9.0])
def test_blur_treats_rows_and_columns_alike(sigma):
    """The transposed image is blurred to the transposed one, also where an image is wider than high."""
    x, sigma = images(n=2, size=48)[:, :, :20], torch.tensor([sigma, 0.7])
    flipped = intensity.gaussian_blur(x.mT, sigma).mT
    torch.testing.assert_close(intensity.gaussian_blur(x, sigma), flipped, atol=1e-5, rtol=0)


def test_power_is_a_power():
    x = torch.linspace(0, 1, 500).repeat(3, 1)
    exponent = torch.tensor([0.5, 1.0, 2.2])[:, None]
    torch.testing.assert_close(intensity.power(x, exponent), x.clamp_min(1e-7) ** exponent, atol=5e-5, rtol=1e-4)


def test_noise_has_the_drawn_spread():
    x = torch.full((4, 1, 64, 64), 0.5)
    y = A.intensity_jitter(x, generator(), gamma=0, contrast=0, gain=0, brightness=0, noise=0.05)
    drawn = 0.05 * torch.rand(6, 4, generator=generator())[5]
    torch.testing.assert_close((y - x).std((1, 2, 3)), drawn, rtol=0.06, atol=0)


@pytest.mark.parametrize("shape", [(7,), (3, 5, 9), (40, 1, 64, 64)])
def test_normal_draws_are_normal_and_repeat(shape):
    draws = intensity.normal_numbers(shape, generator(1))
    assert draws.shape == shape and torch.equal(draws, intensity.normal_numbers(shape, generator(1)))
    assert stats.kstest(draws.flatten().numpy(), "norm").pvalue > 0.01


def test_neighbouring_normal_draws_are_independent():
    draws = intensity.normal_numbers((4, 50_000), generator(2)).flatten().double()  # four come from one random word
    for lag in (1, 2, 3, 4):
        assert abs((draws[lag:] * draws[:-lag]).mean()) < 4 / math.sqrt(len(draws))


def test_augmix_without_severity_keeps_the_mean_intensity_at_any_severity():
    x = images(n=32)
    change = A.augmix(x, generator(), 5.0).mean((1, 2, 3)) - x.mean((1, 2, 3))
    assert change.abs().max() < 0.05
