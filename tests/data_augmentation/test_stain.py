"""Stains separate, vary and normalize as their formulas and other libraries say."""

import math

import numpy as np
import pytest
import torch
import torchstain

from medgen_utils import data_augmentation as A
from medgen_utils.data_augmentation.stain import REFERENCE, percentile_99
from tests.data_augmentation.examples import generator, images, tissue
from tests.pretend_gpu import PretendGPU


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


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("counts", [(300, 300), (20, 137), (1, 0)])
def test_percentile_is_the_nearest_rank_of_the_values_that_count(counts, device):
    values = torch.rand(2, 3, 300, generator=generator())
    for image, n in zip(values, counts, strict=True):
        image[:, n:] = -torch.inf
    with PretendGPU():
        results = percentile_99(values.to(device), torch.tensor(counts).to(device)).cpu()
    for found, image, n in zip(results, values, counts, strict=True):
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


def test_the_sign_that_an_eigenvector_happens_to_have_does_not_matter(monkeypatch):
    """Where one stain takes the place of the other, the mean lies along the second eigenvector: angles near the cut."""
    share = 0.1 + 0.8 * torch.rand(3, 1, 24, 24, generator=generator())
    amount = 1.4 + 0.1 * torch.rand(3, 1, 24, 24, generator=generator(1))
    x = A.combine_stains(torch.cat([amount * share, amount * (1 - share), 0 * share], dim=1))
    expected, eigh = A.macenko(x), torch.linalg.eigh
    for signs in ([-1, -1, -1], [1, -1, 1], [1, 1, -1]):
        turned = torch.tensor(signs, dtype=torch.float32)
        monkeypatch.setattr(torch.linalg, "eigh", lambda c, turned=turned: (eigh(c)[0], eigh(c)[1] * turned))
        torch.testing.assert_close(A.macenko(x).colours, expected.colours, atol=1e-4, rtol=0)
