"""Chapter evaluation_protocols: corruptions start at the identity, grow with severity and repeat."""

import numpy as np
import pytest
import torch
from scipy import fft

from medgen_utils.data_augmentation.intensity import gaussian_blur
from medgen_utils.data_augmentation.stain import combine_stains, separate_stains
from medgen_utils.shifts.corruptions import CORRUPTIONS, MODALITIES, corrupt


def images(channels: int, size: int, n: int = 12) -> torch.Tensor:
    """Smooth blobs on a grey ground, with texture, in [0, 1]."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand((n, channels, 6, 6), generator=generator)
    fine = torch.rand((n, channels, size, size), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)
    return (0.15 + 0.6 * smooth + 0.1 * fine).clamp(0, 1)


def channels_of(name: str) -> list[int]:
    return [3] if name == "stain shift" else [1, 3]


CASES = [(name, channels) for name in CORRUPTIONS for channels in channels_of(name)]


@pytest.mark.parametrize("size", [28, 33, 64])
@pytest.mark.parametrize(("name", "channels"), CASES)
def test_severity_zero_is_the_identity_and_the_change_grows(name, channels, size):
    x = images(channels, size)
    before = x.clone()
    results = [corrupt(x, name, severity, torch.Generator().manual_seed(0)) for severity in range(6)]
    changes = [float((result - x).abs().mean()) for result in results]
    assert torch.equal(results[0], x)
    assert changes[1] > 0.001
    assert changes == sorted(changes)
    assert len(set(changes)) == 6
    assert torch.equal(x, before)
    for result in results:
        assert result.shape == x.shape
        assert result.dtype == x.dtype
        assert 0 <= float(result.min()) <= float(result.max()) <= 1


@pytest.mark.parametrize(("name", "channels"), CASES)
def test_same_generator_same_images(name, channels):
    x = images(channels, 28)
    first, second = (corrupt(x, name, 3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", ["gaussian noise", "speckle", "bias field", "stain shift"])
def test_random_corruptions_differ_between_equal_images(name):
    x = images(3, 28, n=1).expand(16, -1, -1, -1)
    result = corrupt(x, name, 3, torch.Generator().manual_seed(7))
    assert any(not torch.allclose(result[0], other, atol=1e-4) for other in result[1:])


@pytest.mark.parametrize(
    "name", [n for n in CORRUPTIONS if n not in ("gaussian noise", "speckle", "bias field", "stain shift")]
)
def test_other_corruptions_treat_an_image_alone_as_in_a_batch(name):
    x = images(1, 28)
    together = corrupt(x, name, 4, torch.Generator())
    alone = torch.cat([corrupt(image[None], name, 4, torch.Generator()) for image in x])
    torch.testing.assert_close(together, alone)


def test_speckle_leaves_black_black_and_noise_does_not():
    black = torch.zeros(2, 1, 28, 28)
    assert corrupt(black, "speckle", 5, torch.Generator()).max() == 0
    assert corrupt(black, "gaussian noise", 5, torch.Generator()).max() > 0


def test_jpeg_like_with_tiny_steps_gives_the_image_back():
    x = images(3, 30)
    step = CORRUPTIONS["jpeg-like"].apply(x, 1e-6, torch.Generator())
    torch.testing.assert_close(step, x, atol=1e-4, rtol=0)


def test_every_modality_has_noise_blur_and_intensity_and_stains_are_for_histology():
    for modality in MODALITIES:
        families = {kind.family for kind in CORRUPTIONS.values() if modality in kind.modalities}
        assert {"noise", "blur", "intensity"} <= families
    assert CORRUPTIONS["stain shift"].modalities == ("histology",)
    assert "ultrasound" in CORRUPTIONS["speckle"].modalities


@pytest.mark.parametrize(
    ("name", "severity", "channels", "words"),
    [("rain", 1, 1, "choose from"), ("blur", 6, 1, "severity"), ("stain shift", 2, 1, "needs colour")],
)
def test_what_cannot_be_done_is_refused_with_a_reason(name, severity, channels, words):
    with pytest.raises(ValueError, match=words):
        corrupt(images(channels, 28), name, severity, torch.Generator())


@pytest.mark.parametrize("size", [28, 56])
def test_blur_is_stated_for_28_pixels_and_grows_with_the_image(size):
    x = images(1, size, 2)
    amount = CORRUPTIONS["blur"].amounts[2]
    expected = gaussian_blur(x, torch.full((2,), amount * size / 28))
    torch.testing.assert_close(corrupt(x, "blur", 3, torch.Generator().manual_seed(0)), expected.clamp(0, 1))


def test_a_stain_shift_changes_haematoxylin_and_eosin_and_leaves_the_rest():
    generator = torch.Generator().manual_seed(2)
    stains = 0.1 + 0.3 * torch.rand(6, 3, 8, 8, generator=generator)
    x = combine_stains(stains)
    shifted = separate_stains(corrupt(x, "stain shift", 3, generator))
    torch.testing.assert_close(shifted[:, 2], stains[:, 2], atol=1e-4, rtol=1e-3)
    ratio = (shifted[:, :2] / stains[:, :2]).mean((2, 3))
    torch.testing.assert_close((ratio - 1).abs(), torch.full((6, 2), 0.3), atol=1e-3, rtol=0)


def test_the_bias_field_is_as_strong_in_every_image():
    x = torch.full((9, 1, 28, 28), 0.3)
    y = corrupt(x, "bias field", 2, torch.Generator().manual_seed(0))
    strongest = (y / x).log().abs().amax((1, 2, 3))
    torch.testing.assert_close(strongest, torch.full((9,), CORRUPTIONS["bias field"].amounts[1]), atol=1e-4, rtol=0)


def jpeg_by_scipy(x: np.ndarray, amount: float) -> np.ndarray:
    """Blocks of 8 x 8 through SciPy's cosine transform, image by image."""
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (0, -height % 8), (0, -width % 8)), mode="edge")
    step = amount * (1 + np.arange(8)[:, None] + np.arange(8))
    for top in range(0, padded.shape[2], 8):
        for left in range(0, padded.shape[3], 8):
            block = padded[:, :, top : top + 8, left : left + 8]
            rounded = np.round(fft.dctn(block, axes=(2, 3), norm="ortho") / step) * step
            block[:] = fft.idctn(rounded, axes=(2, 3), norm="ortho")
    return padded[:, :, :height, :width]


def bias_by_hand(x: np.ndarray, amount: float, weights: np.ndarray) -> np.ndarray:
    v, u = np.meshgrid(np.linspace(-1, 1, x.shape[2]), np.linspace(-1, 1, x.shape[3]), indexing="ij")
    field = np.einsum("nk,khw->nhw", weights, np.stack([u, v, u * v, u**2 - 1 / 3, v**2 - 1 / 3]))
    return x * np.exp(amount * field / np.abs(field).max(axis=(1, 2), keepdims=True))[:, None]


def speckle_by_hand(x: np.ndarray, amount: float, noise: np.ndarray) -> np.ndarray:
    """Each grain is twice the mean of a pixel and its neighbours above and to the left, mirrored at the border."""
    padded = np.pad(noise, ((0, 0), (0, 0), (1, 0), (1, 0)), mode="reflect")
    grains = (padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]) / 2
    return x * (1 + amount * grains)


def drawn(*shape: int) -> np.ndarray:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7)).numpy()


FORMULAS = {
    "gaussian noise": lambda x, amount: x + amount * drawn(*x.shape),
    "speckle": lambda x, amount: speckle_by_hand(x, amount, drawn(len(x), 1, *x.shape[2:])),
    "low contrast": lambda x, amount: (1 - amount) * x + amount * x.mean((1, 2, 3), keepdims=True),
    "gamma": lambda x, amount: x ** (1 + amount),
    "brightness": lambda x, amount: x + amount,
    "bias field": lambda x, amount: bias_by_hand(x, amount, drawn(len(x), 5)),
    "jpeg-like": jpeg_by_scipy,
}


@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_corruption_is_its_formula(name, size):
    x = images(3, size, n=4)[:, :, : size - 4]  # wider than high: the axes are told apart
    kind = CORRUPTIONS[name]
    found = kind.apply(x, kind.amounts[2], torch.Generator().manual_seed(7)).numpy()
    np.testing.assert_allclose(found, FORMULAS[name](x.numpy().astype(float), kind.amounts[2]), atol=2e-5)


@pytest.mark.parametrize(("size", "amount", "squares"), [(28, 0.5, 14), (28, 0.75, 7), (32, 0.75, 8)])
def test_pixelate_averages_squares_and_puts_them_back(size, amount, squares):
    x = images(1, size, n=3)
    side = size // squares
    means = x.reshape(3, 1, squares, side, squares, side).mean((3, 5))
    expected = means.repeat_interleave(side, 2).repeat_interleave(side, 3)
    torch.testing.assert_close(CORRUPTIONS["pixelate"].apply(x, amount, torch.Generator()), expected)
