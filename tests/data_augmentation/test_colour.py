"""Hue, saturation and grey; what needs colour refuses grey images."""

import pytest
import torch

from medgen_utils import data_augmentation as A
from medgen_utils.data_augmentation.colour import LUMINANCE
from tests.data_augmentation.examples import generator, images


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
    torch.testing.assert_close(y[:, 0], torch.einsum("c,nchw->nhw", torch.tensor(LUMINANCE), x))


@pytest.mark.parametrize("hue", [0.05, 0.2])
def test_hues_turn_by_up_to_the_stated_share_of_a_circle(hue):
    x = torch.full((3000, 3, 1, 1), 0.5)
    x[:, 0] += 0.1
    y = A.colour_jitter(x, generator(), hue=hue, saturation=0.0)
    red, turned = (z.flatten(1) - z.flatten(1).mean(1, keepdim=True) for z in (x, y))
    angle = torch.arccos(torch.cosine_similarity(red, turned).clamp(-1, 1)) / (2 * torch.pi)
    assert 0.98 * hue < angle.max() <= hue * 1.001
    assert float(angle.mean()) == pytest.approx(hue / 2, rel=0.1)
