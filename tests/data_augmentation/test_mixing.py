"""What mixes images, amplitudes or styles is its formula, and mixes what it should."""

import numpy as np
import pytest
import torch
from scipy import stats

from medgen_utils import data_augmentation as A
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.data import Batch
from medgen_utils.training import build, fit
from tests.data_augmentation.examples import generator, images


@pytest.mark.parametrize("window", [1.0, 0.5, 0.15])
@pytest.mark.parametrize("size", [28, 27, (28, 36)])
def test_amplitude_mix_is_its_formula_and_the_imaginary_part_is_rounding_error(size, window):
    shape = size if isinstance(size, tuple) else (size, size)
    x, other = torch.rand(2, 3, 2, *shape, generator=generator(), dtype=torch.float64)
    lam = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
    a, b = (np.fft.fft2(z.numpy()) for z in (x, other))
    frequency = np.maximum(*np.meshgrid(*(np.abs(np.fft.fftfreq(n)) for n in shape), indexing="ij"))
    inside = lam.numpy()[:, None, None, None] * (frequency <= window / 2)
    mixed = np.fft.ifft2(((1 - inside) * np.abs(a) + inside * np.abs(b)) * np.exp(1j * np.angle(a)))
    assert np.abs(mixed.imag).max() < 1e-12
    ours = A.fourier_amplitude_mix(x, other, lam, window)
    np.testing.assert_allclose(ours, mixed.real.clip(0, 1), atol=1e-12)
    torch.testing.assert_close(ours[0], x[0], atol=1e-12, rtol=0)


def test_amplitude_mix_with_itself_is_the_identity():
    x = images()
    torch.testing.assert_close(A.fourier_amplitude_mix(x, x, 1.0), x, atol=1e-5, rtol=0)


def test_a_frequency_that_an_image_lacks_stays_empty():
    """Amplitude exactly zero: a flat image lacks all but one, and among real images one in thousands lacks one."""
    flat, other = torch.full((2, 1, 16, 16), 0.25), torch.rand(2, 1, 16, 16, generator=generator())
    mixed = A.fourier_amplitude_mix(flat, other, torch.tensor([0.2, 1.0]))
    mean = other.mean((1, 2, 3))
    expected = torch.stack([0.8 * torch.tensor(0.25) + 0.2 * mean[0], mean[1]])
    torch.testing.assert_close(mixed, expected[:, None, None, None].expand_as(mixed), atol=1e-5, rtol=0)


def test_a_small_window_moves_the_mean_and_little_else():
    x, other = 0.3 * images(), 0.3 * images(seed=1) + 0.6
    y = A.fourier_amplitude_mix(x, other, 1.0, window=0.02)
    torch.testing.assert_close(y.mean((2, 3)), other.mean((2, 3)), atol=0.05, rtol=0)
    torch.testing.assert_close(y - y.mean((2, 3), keepdim=True), x - x.mean((2, 3), keepdim=True), atol=0.1, rtol=0)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_beta_draws_follow_their_distribution(alpha):
    drawn = A.draw_beta(alpha, 2000, generator()).double().numpy()
    assert np.isfinite(drawn).all()
    if alpha >= 0.2:  # below, float32 rounds to 0 and 1
        assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    np.testing.assert_allclose(drawn.var(), 1 / (4 * (2 * alpha + 1)), rtol=0.1)


def test_partners_respect_the_domains():
    domain = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    for seed in range(20):
        within, between = (A.partners(domain, generator(seed), kind) for kind in ("within", "between"))
        assert (domain[within] == domain).all() and (domain[between] != domain).all()


def test_mixing_between_domains_needs_two():
    with pytest.raises(ValueError, match="all 4 images come from one domain"):
        A.partners(torch.zeros(4, dtype=torch.int64), generator(), "between")


def test_mixup_mixes_images_and_targets_alike():
    values = torch.tensor([[0.0], [1.0], [4.0]])
    mixed = A.mixup(values, torch.tensor([1, 2, 0]), torch.tensor([1.0, 0.5, 0.25]))
    torch.testing.assert_close(mixed, torch.tensor([[0.0], [2.5], [1.0]]))


def test_mix_style_is_its_formula_and_moves_the_statistics():
    x = torch.randn(5, 4, 7, 9, generator=generator())
    permutation, lam = torch.tensor([1, 0, 4, 2, 3]), torch.tensor([1.0, 0.0, 0.3, 0.5, 0.9])
    y = A.mix_style(x, permutation, lam)
    mean, deviation = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True)
    weight = lam.view(5, 1, 1, 1)
    new_mean = weight * mean + (1 - weight) * mean[permutation]
    new_deviation = weight * deviation + (1 - weight) * deviation[permutation]
    torch.testing.assert_close(y, (x - mean) / deviation * new_deviation + new_mean, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(y[0], x[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(y[1].mean((1, 2)), x[0].mean((1, 2)), atol=1e-5, rtol=0)


def test_the_mix_style_layer_acts_in_training_only_and_in_its_share_of_batches():
    x, layer = torch.randn(7, 3, 5, 5, generator=generator()), A.MixStyle(probability=0.5)
    torch.manual_seed(0)
    changed = sum(not torch.equal(layer(x), x) for _ in range(200))
    assert 70 < changed < 130
    assert torch.equal(layer.eval()(x), x)


def test_mixup_between_domains_trains_and_refuses_one_domain():
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    model = build(A.Mixup, dataset, seed=0, width=4, hyperparameters={"across": "between"})
    fit(model, dataset, steps=2)
    with pytest.raises(ValueError, match="one domain"):
        fit(model, dataset.only("hospital A"), steps=1)


def test_the_gradient_of_mix_style_is_that_of_its_formula_with_the_statistics_held():
    x = torch.randn(4, 2, 5, 5, generator=generator(), dtype=torch.float64).requires_grad_()
    permutation, lam = torch.tensor([2, 0, 3, 1]), torch.tensor([0.0, 0.2, 0.7, 0.4])
    weights = torch.randn(4, 2, 5, 5, generator=generator(1), dtype=torch.float64)
    (weights * A.mix_style(x, permutation, lam)).sum().backward()
    spread = (x.detach().var((2, 3), keepdim=True) + 1e-6).sqrt()
    mixed = lam.view(-1, 1, 1, 1) * spread + (1 - lam.view(-1, 1, 1, 1)) * spread[permutation]
    torch.testing.assert_close(x.grad, weights * mixed / spread)


def test_the_variance_of_mix_style_is_unbiased_which_shows_in_faint_maps():
    """Beside a variance of 1e-6 the constant of that size counts, and the factor n / (n - 1) does not cancel."""
    x = torch.randn(2, 1, 3, 3, generator=generator(), dtype=torch.float64) * torch.tensor([1e-3, 1.0]).view(2, 1, 1, 1)
    y = A.mix_style(x, torch.tensor([1, 0]), torch.zeros(2))
    spread = (x.var((2, 3)) + 1e-6).sqrt()
    torch.testing.assert_close(y.std((2, 3))[0] / x.std((2, 3))[0], spread[1] / spread[0])


@pytest.mark.parametrize(("alpha", "mixed"), [(1e-4, False), (50.0, True)])
def test_mixup_draws_its_shares_with_its_own_alpha(alpha, mixed):
    dataset = make_clinic(acquisition_hospitals(), 8, seed=0, size=16)
    model = build(A.Mixup, dataset, seed=0, width=4, hyperparameters={"alpha": alpha})
    seen = []
    model.featurizer.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.objective([Batch(dataset.x, dataset.y, dataset.domain)])
    distance = (seen[0].flatten(1)[:, None] - dataset.x.flatten(1)).abs().amax(2).amin(1)
    share = float((distance > 1e-3).float().mean())
    assert share > 0.9 if mixed else share == 0
