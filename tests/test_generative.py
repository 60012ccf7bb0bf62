"""The density of a class has the moments of its images, and its draws have those of the density."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from medgen_utils.generative import ClassGaussians


def images(n: int = 30, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Small grey images of two classes, far from 0 and 1, with other means and another spread."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 2
    base = torch.rand(2, 12, generator=generator) * 0.1 + torch.tensor([[0.4], [0.5]])
    spread = torch.rand(2, 12, 12, generator=generator) * 0.02
    z = torch.randn(n, 12, generator=generator)
    x = base[y] + torch.einsum("ni,nij->nj", z, spread[y])
    return x.reshape(n, 1, 3, 4), y


def test_with_all_components_the_moments_are_those_of_the_images():
    x, y = images()
    model = ClassGaussians(x, y, n_components=12)
    for label in (0, 1):
        mine = x[y == label].flatten(1).double().numpy()
        mean, covariance = model.moments(label)
        np.testing.assert_allclose(mean, mine.mean(0))
        np.testing.assert_allclose(covariance, np.cov(mine.T), atol=1e-12)


def test_with_few_components_the_covariance_is_that_of_principal_component_analysis():
    x, y = images()
    mine = x[y == 1].flatten(1).double().numpy()
    pca = PCA(3).fit(mine)
    expected = pca.components_.T @ np.diag(pca.explained_variance_) @ pca.components_
    np.testing.assert_allclose(ClassGaussians(x, y, 3).moments(1)[1], expected, atol=1e-12)


def test_draws_have_the_moments_of_their_class():
    x, y = images()
    model = ClassGaussians(x, y, 5)
    drawn, label = model.draw(20_000, torch.Generator().manual_seed(1))
    assert drawn.shape == (40_000, 1, 3, 4) and label.bincount().tolist() == [20_000, 20_000]
    for k in (0, 1):
        mean, covariance = model.moments(k)
        mine = drawn[label == k].flatten(1).double()
        assert (mine.mean(0) - mean).abs().max() < 0.002
        assert (torch.cov(mine.T) - covariance).abs().max() < 0.05 * covariance.abs().max()


def test_draws_are_images_and_follow_the_generator():
    x, y = images()
    model = ClassGaussians((20 * (x - 0.5)).clamp(0, 1), y, 5)
    a, b, c = (model.draw(4, torch.Generator().manual_seed(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert a.min() >= 0 and a.max() <= 1 and a.dtype == torch.float32


@pytest.mark.parametrize(("n", "components"), [(3, 5), (30, 0)])
def test_too_few_images_or_components_are_an_error(n, components):
    x, y = images(n)
    with pytest.raises(ValueError, match="too few"):
        ClassGaussians(x, y, components)
