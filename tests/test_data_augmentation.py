"""Augmentations: identity at zero strength, own draws for every image, formulas against plain NumPy."""

import math
from functools import partial

import numpy as np
import pytest
import torch
import torchstain
from scipy import stats
from torch.nn import functional as F

from medgen_utils import data_augmentation as A
from medgen_utils.clinic import acquisition_hospitals, make_clinic
from medgen_utils.data import Batch
from medgen_utils.data_augmentation import intensity
from medgen_utils.data_augmentation.stain import REFERENCE, _percentile_99
from medgen_utils.training import ERM, build, fit

ANY = {
    "intensity": lambda x, g, s=1.0: A.intensity_jitter(x, g, s, blur=1.0, noise=0.05),
    "random_convolution": lambda x, g, s=1.0: A.random_convolution(x, g, s),
    "random_convolution image": lambda x, g, s=1.0: A.random_convolution(x, g, 2 * s, mix=False),
    "amplitude": lambda x, g, s=1.0: A.amplitude_jitter(x, g, s),
    "augmix": lambda x, g, s=1.0: A.augmix(x, g, 3 * s),
}
COLOUR = {
    "stain": lambda x, g, s=1.0: A.stain_jitter(x, g, 0.1 * s),
    "colour": lambda x, g, s=1.0: A.colour_jitter(x, g, 0.05 * s, 0.2 * s),
}
PER_BATCH = ("random_convolution", "random_convolution image")
CASES = [(name, channels) for name in ANY for channels in (1, 3)] + [(name, 3) for name in COLOUR]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(channels=3, size=28, n=6, seed=0):
    """Smooth random images with a little noise, away from 0 and 1."""
    coarse = torch.rand(n, channels, 5, 5, generator=generator(seed))
    smooth = F.interpolate(coarse, (size, size), mode="bilinear")
    return 0.1 + 0.8 * smooth + 0.02 * torch.randn(n, channels, size, size, generator=generator(seed))


def tissue(n=4, size=32, seed=0):
    """Images in the colours of haematoxylin and eosin, in amounts that vary smoothly."""
    amounts = F.interpolate(1.5 * torch.rand(n, 2, 5, 5, generator=generator(seed)), (size, size), mode="bilinear")
    return torch.exp(-torch.einsum("rs,nshw->nrhw", REFERENCE.colours[0], amounts)) * 240 / 255


@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize(("name", "channels"), CASES)
class TestEveryAugmentation:
    def test_zero_strength_is_the_identity(self, name, channels, size):
        x = images(channels, size)
        torch.testing.assert_close((ANY | COLOUR)[name](x, generator(), 0.0), x, atol=1e-5, rtol=0)

    def test_shape_type_and_range_are_kept(self, name, channels, size):
        x = images(channels, size)
        y = (ANY | COLOUR)[name](x, generator())
        assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
        if name not in PER_BATCH:
            assert y.min() >= 0 and y.max() <= 1

    def test_draws_repeat_under_one_generator_and_differ_under_another(self, name, channels, size):
        x, function = images(channels, size), (ANY | COLOUR)[name]
        assert torch.equal(function(x, generator(1)), function(x, generator(1)))
        assert not torch.allclose(function(x, generator(1)), function(x, generator(2)), atol=1e-3)

    def test_each_image_has_draws_of_its_own(self, name, channels, size):
        equal = images(channels, size, n=1).expand(3, -1, -1, -1)
        y = (ANY | COLOUR)[name](torch.cat([equal, images(channels, size, n=3, seed=1)]), generator(3))
        differ = (y[0] - y[1]).abs().max() > 1e-3
        assert differ or name in PER_BATCH  # these draw one filter for the batch, as their paper says

    def test_the_input_is_left_alone(self, name, channels, size):
        x = images(channels, size)
        before = x.clone()
        (ANY | COLOUR)[name](x, generator())
        assert torch.equal(x, before)


@pytest.mark.parametrize("name", [name for name in ANY if name != "augmix"] + list(COLOUR))
def test_gradients_flow_to_the_image(name):
    x = images().requires_grad_()
    (ANY | COLOUR)[name](x, generator()).sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: A.stain_jitter(x, generator()),
        lambda x: A.colour_jitter(x, generator()),
        A.stain_normalize,
        A.separate_stains,
        A.macenko,
        A.to_grey,
    ],
)
def test_functions_of_colour_refuse_grey_images(function):
    with pytest.raises(ValueError, match=r"shape \(6, 1, 28, 28\): it needs colour"):
        function(images(channels=1))


def test_compose_applies_in_order():
    composed = A.compose(lambda x, g: x + 1, lambda x, g: 2 * x)
    assert composed(torch.zeros(1), generator()) == 2


# Intensity


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


def test_noise_has_the_drawn_spread():
    x = torch.full((4, 1, 64, 64), 0.5)
    y = A.intensity_jitter(x, generator(), gamma=0, contrast=0, gain=0, brightness=0, noise=0.05)
    drawn = 0.05 * torch.rand(6, 4, generator=generator())[5]
    torch.testing.assert_close((y - x).std((1, 2, 3)), drawn, rtol=0.06, atol=0)


@pytest.mark.parametrize("shape", [(7,), (3, 5, 9), (40, 1, 64, 64)])
def test_normal_draws_are_normal_and_repeat(shape):
    draws = intensity._normal(shape, generator(1))
    assert draws.shape == shape and torch.equal(draws, intensity._normal(shape, generator(1)))
    assert stats.kstest(draws.flatten().numpy(), "norm").pvalue > 0.01


def test_neighbouring_normal_draws_are_independent():
    draws = intensity._normal((4, 50_000), generator(2)).flatten().double()  # four neighbours come from one random word
    for lag in (1, 2, 3, 4):
        assert abs((draws[lag:] * draws[:-lag]).mean()) < 4 / math.sqrt(len(draws))


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


# Colour and stain


def test_stains_separate_and_combine_without_loss():
    x = images().clamp(0.01, 1)
    torch.testing.assert_close(A.combine_stains(A.separate_stains(x)), x, atol=1e-5, rtol=0)
    blue = torch.tensor([0.2, 0.2, 0.6]).view(1, 3, 1, 1)  # loses its blue where stains are clipped at 0
    torch.testing.assert_close(A.combine_stains(A.separate_stains(blue)), blue, atol=1e-5, rtol=0)


def test_stain_jitter_is_its_formula_in_numpy():
    x = tissue()
    scale, shift = 0.1 * (2 * torch.rand(2, 4, 3, generator=generator()).double().numpy() - 1)
    hed = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    stains = -np.log(x.double().numpy()).transpose(0, 2, 3, 1) @ np.linalg.inv(hed)
    stains = stains * (1 + scale)[:, None, None] + shift[:, None, None]
    expected = np.exp(-(stains @ hed)).clip(0, 1).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(A.stain_jitter(x, generator(), 0.1), expected, atol=1e-5)


def test_separated_stains_agree_with_scikit_image_up_to_its_unit():
    from skimage.color import rgb2hed

    x = tissue()
    ours = A.separate_stains(x).clamp_min(0)
    theirs = rgb2hed(x.double().numpy(), channel_axis=1) * -math.log(1e-6)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_macenko_finds_the_stains_that_made_the_images():
    found = A.macenko(tissue(n=3, size=64))
    assert found.found.all()
    torch.testing.assert_close(found.colours, REFERENCE.colours.expand(3, -1, -1), atol=0.1, rtol=0)


@pytest.mark.parametrize("counts", [(300, 300), (20, 137), (1, 0)])
def test_percentile_is_the_nearest_rank_of_the_values_that_count(counts):
    values = torch.rand(2, 3, 300, generator=generator())
    for image, n in zip(values, counts, strict=True):
        image[:, n:] = -torch.inf
    for found, image, n in zip(_percentile_99(values, torch.tensor(counts)), values, counts, strict=True):
        expected = np.percentile(image[:, :n], 99, axis=1, method="nearest") if n else np.zeros(3)
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("own_reference", [True, False])
def test_stain_normalize_agrees_with_torchstain(own_reference):
    x, other = tissue(), (tissue(seed=7) ** 1.3)[0]
    theirs = torchstain.normalizers.MacenkoNormalizer(backend="torch")
    if own_reference:
        theirs.fit(other * 255)
    expected = torch.stack([theirs.normalize(I=image * 255, stains=False)[0].permute(2, 0, 1) for image in x]) / 255
    ours = A.stain_normalize(x, other if own_reference else None)
    np.testing.assert_allclose(ours, expected, atol=2 / 255)  # theirs rounds to bytes


def test_stain_normalize_undoes_a_stronger_stain():
    x = tissue(size=64)
    darker = (x * 255 / 240) ** 1.4 * 240 / 255
    normalized = A.stain_normalize(darker), A.stain_normalize(x)
    assert (normalized[0] - normalized[1]).abs().mean() < 0.1 * (darker - x).abs().mean()


def test_stain_normalize_leaves_an_empty_slide_alone():
    x = torch.full((2, 3, 28, 28), 0.95)
    assert torch.equal(A.stain_normalize(x), x)


def test_hue_turns_colours_and_leaves_grey_alone():
    grey = torch.full((3, 3, 4, 4), 0.4)
    torch.testing.assert_close(A.colour_jitter(grey, generator(), 0.5, 0.5), grey, atol=1e-5, rtol=0)
    x = 0.5 + 0.1 * (images() - 0.5)
    y = A.colour_jitter(x, generator(), hue=0.3, saturation=0.0)
    distance = [(z - z.mean(1, keepdim=True)).square().sum(1) for z in (x, y)]
    torch.testing.assert_close(distance[0], distance[1], atol=1e-5, rtol=0)


def test_to_grey_has_three_equal_channels_of_the_luminance():
    x = images()
    y = A.to_grey(x)
    assert torch.equal(y[:, 0], y[:, 1]) and y.shape == x.shape
    torch.testing.assert_close(y[:, 0], torch.einsum("c,nchw->nhw", torch.tensor(intensity.LUMINANCE), x))


# Frequency


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


def test_a_small_window_moves_the_mean_and_little_else():
    x, other = 0.3 * images(), 0.3 * images(seed=1) + 0.6
    y = A.fourier_amplitude_mix(x, other, 1.0, window=0.02)
    torch.testing.assert_close(y.mean((2, 3)), other.mean((2, 3)), atol=0.05, rtol=0)
    torch.testing.assert_close(y - y.mean((2, 3), keepdim=True), x - x.mean((2, 3), keepdim=True), atol=0.1, rtol=0)


# Blends and divergence


def test_augmix_shifts_by_the_stated_share_of_the_side():
    x = images(channels=1, n=1)
    kind, amount = torch.tensor([3]), torch.tensor([30 / 28])  # 1/30 of 28 pixels a unit: one pixel
    moved = intensity._warp(x, intensity._affine(kind, amount))
    torch.testing.assert_close(moved[..., :-1], x[..., 1:], atol=1e-4, rtol=0)


def test_augmix_turns_a_quarter_like_rot90():
    x = images(channels=1, n=1)
    turned = intensity._warp(x, intensity._affine(torch.tensor([0]), torch.tensor([30.0])))
    quarter = [torch.rot90(x, k, (2, 3)) for k in (1, -1)]
    assert min(float((turned - q).abs().max()) for q in quarter) < 1e-3


def test_augmix_without_severity_keeps_the_mean_intensity_at_any_severity():
    x = images(n=32)
    change = A.augmix(x, generator(), 5.0).mean((1, 2, 3)) - x.mean((1, 2, 3))
    assert change.abs().max() < 0.05


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


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0])
def test_beta_draws_follow_their_distribution(alpha):
    drawn = A.draw_beta(alpha, 2000, generator()).double().numpy()
    assert np.isfinite(drawn).all()
    if alpha >= 0.2:  # below, float32 rounds to 0 and 1
        assert stats.kstest(drawn, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    np.testing.assert_allclose(drawn.var(), 1 / (4 * (2 * alpha + 1)), rtol=0.1)


# Across domains


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


def test_no_gradient_flows_through_the_statistics_of_mix_style():
    x = torch.randn(4, 2, 5, 5, generator=generator()).requires_grad_()
    A.mix_style(x, torch.arange(4), torch.ones(4)).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x), atol=1e-5, rtol=0)


def test_the_mix_style_layer_acts_in_training_only_and_in_its_share_of_batches():
    x, layer = torch.randn(7, 3, 5, 5, generator=generator()), A.MixStyle(probability=0.5)
    torch.manual_seed(0)
    changed = sum(not torch.equal(layer(x), x) for _ in range(200))
    assert 70 < changed < 130
    assert torch.equal(layer.eval()(x), x)


# Algorithms

ALGORITHMS = (A.Mixup, A.StyleMixing, A.AmplitudeMix, A.AugMix, A.RandConv)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("sizes", [(8,), (5, 4), (3, 3, 3), (2, 3, 2, 3, 2)])
def test_every_algorithm_learns_from_any_number_of_domains(algorithm, sizes):
    dataset = make_clinic(acquisition_hospitals(), 4, seed=0, size=16)
    model = build(algorithm, dataset, seed=0, width=4)
    model.prepare()
    source = generator()
    batches = []
    for number, size in enumerate(sizes):
        y = torch.arange(size) % 2
        edge = (torch.arange(16) > 7).float().expand(16, 16)  # upright or lying: no augmentation removes that
        x = 0.3 * torch.rand(size, 1, 16, 16, generator=source) + 0.6 * torch.stack([edge, edge.T])[y, None]
        batches.append(Batch(x, y, torch.full((size,), number)))
    before = [weights.clone() for weights in model.parameters()]
    torch.manual_seed(0)
    losses = [model.update(batches)["loss"] for _ in range(25)]
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert np.isfinite(losses).all() and np.mean(losses[-5:]) < np.mean(losses[:5])


def test_mixup_between_domains_trains_and_refuses_one_domain():
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    model = build(A.Mixup, dataset, seed=0, width=4, hyperparameters={"across": "between"})
    fit(model, dataset, steps=2)
    with pytest.raises(ValueError, match="one domain"):
        fit(model, dataset.only("hospital A"), steps=1)


@pytest.mark.parametrize(
    ("algorithm", "hyperparameters"),
    [(A.StyleMixing, {"probability": 0.0}), (A.AmplitudeMix, {"strength": 0.0}), (A.AugMix, {"weight": 0.0})],
)
def test_without_its_ingredient_an_algorithm_is_erm(algorithm, hyperparameters):
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    models = [
        build(ERM, dataset, seed=0, width=4),
        build(algorithm, dataset, seed=0, width=4, hyperparameters=hyperparameters),
    ]
    for model in models:
        model.eval()  # batch normalization would see the extra views of AugMix
    batch = Batch(dataset.x, dataset.y, dataset.domain)
    losses = [model.objective([batch])[1]["loss"] for model in models]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_training_repeats_under_one_seed(algorithm):
    dataset = make_clinic(acquisition_hospitals(), 20, seed=0, size=16)
    states = []
    for _ in range(2):
        model = build(algorithm, dataset, seed=3, width=4)
        fit(model, dataset, steps=3, seed=3, augment=partial(A.intensity_jitter, strength=0.5))
        states.append(torch.cat([weights.flatten() for weights in model.parameters()]))
    assert torch.equal(*states)
