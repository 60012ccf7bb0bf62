"""The operations of RandAugment are torchvision's, image by image; each is drawn alike often, and is nothing at 0."""

import pytest
import torch
from torchvision.transforms.v2 import functional as vision

from medgen_utils import data_augmentation as A
from medgen_utils.data_augmentation import policy
from tests.data_augmentation.examples import generator, images

BLENDS = {
    "brightness": vision.adjust_brightness, "contrast": vision.adjust_contrast,
    "colour": vision.adjust_saturation, "sharpness": vision.adjust_sharpness,
}  # fmt: skip


def bytes_of(x):
    return (x.clamp(0, 1) * 255).round().to(torch.uint8)


@pytest.mark.parametrize("name", policy.NAMES[policy.MOVES :])
@pytest.mark.parametrize("channels", [1, 3])
def test_an_amount_of_zero_changes_nothing(name, channels):
    x = images(channels).clamp(0, 1)
    torch.testing.assert_close(policy.operate(name, x, torch.zeros(len(x))), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", BLENDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_changed_by_its_own_amount_as_torchvision_changes_it(name, channels):
    x, amount = images(channels).clamp(0, 1), torch.tensor([-1.0, -0.5, -0.1, 0.2, 0.6, 1.0])
    expected = torch.cat([BLENDS[name](x[[i]], 1 + 0.9 * float(a)) for i, a in enumerate(amount)])
    torch.testing.assert_close(policy.operate(name, x, amount), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize(("amount", "bits"), [(1.0, 4), (-0.5, 6), (0.25, 7)])
def test_posterize_keeps_as_many_bits_as_torchvision(amount, bits):
    x = bytes_of(images()) / 255
    got = policy.operate("posterize", x, torch.full((len(x),), amount))
    assert torch.equal(bytes_of(got), vision.posterize(bytes_of(x), bits))


def test_solarize_inverts_what_is_brighter_than_the_threshold():
    x = torch.tensor([0.1, 0.4, 0.9]).view(1, 1, 1, 3).expand(3, -1, -1, -1)
    got = policy.operate("solarize", x, torch.tensor([0.2, -0.7, 1.0])).view(3, 3)
    torch.testing.assert_close(got, torch.tensor([[0.1, 0.4, 0.1], [0.1, 0.6, 0.1], [0.9, 0.6, 0.1]]))


@pytest.mark.parametrize("channels", [1, 3])
def test_equalize_is_that_of_torchvision_without_its_levels(channels):
    x = bytes_of(images(channels, 64)) / 255
    torch.testing.assert_close(policy.equalize(x), vision.equalize(bytes_of(x)) / 255, atol=2 / 255, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_autocontrast_is_that_of_torchvision(channels):
    x = images(channels).clamp(0, 1)
    torch.testing.assert_close(policy.stretch(x), vision.autocontrast(x), atol=1e-5, rtol=0)


def test_strength_zero_gives_the_very_same_images():
    x = images().clamp(0, 1)
    assert torch.equal(A.rand_augment(x, generator(), 0), x)


def test_equalize_of_two_values_is_black_and_white():
    x = torch.full((1, 1, 3, 3), 0.4)
    x[..., 1, 1] = 0.3
    assert policy.equalize(x).flatten().tolist() == [1.0] * 4 + [0.0] + [1.0] * 4


def test_equalize_leaves_a_constant_image_alone():
    x = torch.full((2, 1, 5, 5), 0.3)
    assert torch.equal(policy.equalize(x), x) and torch.equal(policy.stretch(x), x)


@pytest.mark.parametrize(("name", "whole_way"), [("equalize", policy.equalize), ("autocontrast", policy.stretch)])
def test_an_operation_without_amount_comes_in_shares(name, whole_way):
    x = images().clamp(0.2, 0.8)
    half, whole = (policy.operate(name, x, torch.full((len(x),), a)) for a in (-0.5, 1.0))
    torch.testing.assert_close(half, (x + whole_way(x)) / 2)
    torch.testing.assert_close(whole, whole_way(x))


def test_a_square_of_the_stated_size_is_cut_out_where_it_lies_inside():
    x = torch.zeros(2, 3, 40, 40)
    cut = policy.cut_out(x, torch.tensor([[0.5, 0.0], [0.25, 0.0]]), 0.25)
    assert (cut == 0.5).sum((1, 2, 3)).tolist() == [3 * 10 * 10, 3 * 5 * 5]
    assert (cut[0, :, 15:25, 5:15] == 0.5).all()


def test_two_operations_an_image_are_drawn_alike_often(monkeypatch):
    drawn, real = [], policy.operate

    def noted(name, x, amount):
        drawn.extend([name] * len(x))
        return real(name, x, amount)

    monkeypatch.setattr(policy, "operate", noted)
    A.rand_augment(torch.rand(2800, 1, 4, 4), generator())
    counts = torch.tensor([drawn.count(name) for name in policy.NAMES[policy.MOVES :]])
    assert counts.min() > 320 and counts.max() < 480  # of 5,600 draws each has 400 on average, deviation 19


def test_every_image_comes_back_in_its_place(monkeypatch):
    monkeypatch.setattr(policy, "operate", lambda name, x, amount: x)
    monkeypatch.setattr(policy, "warp", lambda x, matrix: x)
    x = images(n=50)
    assert torch.equal(A.rand_augment(x, generator(), cutout=0.0), x)


def test_without_operations_only_the_square_is_left():
    x = images().clamp(0, 0.49)
    y = A.rand_augment(x, generator(), operations=0)
    changed = y != x
    assert changed.any() and (y[changed] == 0.5).all()


@pytest.mark.parametrize("strength", [-0.1, 1.5])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ValueError, match=f"strength={strength}"):
        A.rand_augment(images(), generator(), strength)
