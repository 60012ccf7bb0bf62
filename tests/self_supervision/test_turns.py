"""A suspect that is taken away is gone and the rest stays; displaced channels are measured, and laid over again."""

from dataclasses import replace

import pytest
import torch

from medgen_utils import self_supervision as ssl
from medgen_utils.data import DatasetInfo, DomainDataset
from medgen_utils.self_supervision.turns import EVERYWHERE, displacement
from tests.self_supervision.examples import generator

INFO = DatasetInfo("stained", "Stained", "made here", "CC0", "none")


def smooth(n=40, size=32, seed=0):
    """Smooth grey images (n, size, size) within [.2, .8]."""
    waves = torch.rand(n, size, size, generator=generator(seed))
    frequency = (torch.fft.fftfreq(size)[:, None].square() + torch.fft.rfftfreq(size).square()).sqrt()
    x = torch.fft.irfft2(torch.fft.rfft2(waves) * torch.exp(-200 * frequency.square()), s=(size, size))
    x = x - x.mean((1, 2), keepdim=True)
    return 0.5 + 0.3 * x / x.abs().amax((1, 2), keepdim=True)


def stained(by=((0.0, 0.7), (-0.4, 0.2)), size=32):
    """Two scanners; red lies (down, right) beside green by the first pair times one half, blue by the whole."""
    parts = []
    for k, (down, right) in enumerate(by):
        green = smooth(size=size, seed=k)
        red = 0.8 * ssl.shifted(green, down / 2, right / 2) + 0.1
        parts.append(torch.stack([red, green, ssl.shifted(green, down, right)], 1))
    x = torch.cat(parts).clamp(0, 1)
    domain = torch.arange(2).repeat_interleave(40)
    group = domain.numpy().astype(str)
    group = torch.arange(80).numpy().astype(str)
    return DomainDataset(x, torch.arange(80) % 2, domain, group, ("a", "b"), ("left", "right"), INFO)


class TestDisplacement:
    def test_a_known_shift_is_measured_whatever_the_contrast(self):
        a = smooth()
        for by in ((0.0, 0.0), (0.6, -0.3), (-0.1, 0.9)):
            found = displacement(a, 0.5 * ssl.shifted(a, *by) + 0.2)
            assert found == pytest.approx(by, abs=0.03)

    def test_whole_pixels_are_a_roll_and_there_and_back_is_nothing(self):
        x = torch.rand(3, 2, 9, 12, generator=generator())
        torch.testing.assert_close(ssl.shifted(x, 2, -1), x.roll((2, -1), (2, 3)), atol=1e-5, rtol=0)
        smooth_ones = smooth(3)
        back = ssl.shifted(ssl.shifted(smooth_ones, 0.3, 0.4), -0.3, -0.4)
        torch.testing.assert_close(back, smooth_ones, atol=1e-5, rtol=0)

    def test_a_table_has_a_row_a_scanner(self):
        table = ssl.channel_shifts(stained())
        assert table.loc["left"].tolist() == pytest.approx([0, 0.35, 0, 0.7], abs=0.03)
        assert table.loc["right"].tolist() == pytest.approx([-0.2, 0.1, -0.4, 0.2], abs=0.03)

    def test_registered_channels_lie_over_one_another_and_green_stays(self):
        dataset = stained()
        over = ssl.registered(dataset)
        assert ssl.channel_shifts(over).abs().to_numpy().max() < 0.03
        assert torch.equal(over.x[:, 1], dataset.x[:, 1])

    def test_displaced_puts_back_the_shift_and_no_colour(self):
        dataset = stained()
        alone = ssl.displaced(dataset)
        difference = (ssl.channel_shifts(alone) - ssl.channel_shifts(dataset)).abs().to_numpy().max()
        assert difference < 0.03
        assert torch.equal(alone.x[:, 1], dataset.x[:, 1])
        assert ssl.channel_shifts(ssl.one_channel(dataset)).abs().to_numpy().max() < 1e-4

    def test_grey_images_have_no_channels_to_compare(self):
        dataset = stained()
        with pytest.raises(ValueError, match="1 channel"):
            ssl.channel_shifts(replace(dataset, x=dataset.x[:, :1]))


class TestSuspects:
    def test_the_centre_is_the_pixels_themselves(self):
        dataset = stained()
        assert torch.equal(ssl.centre(dataset, 10).x, dataset.x[..., 11:21, 11:21])
        with pytest.raises(ValueError, match="size=40"):
            ssl.centre(dataset, 40)

    def test_shrinking_does_not_know_rows_from_columns(self):
        dataset = stained()
        turned = ssl.shrunk(replace(dataset, x=dataset.x.mT.contiguous()), 14).x
        torch.testing.assert_close(ssl.shrunk(dataset, 14).x, turned.mT)

    def test_a_pixel_that_shrinks_stays_where_it_lay(self):
        """A ramp stays the ramp of the pixels' centres, two of the old to one of the new."""
        ramp = torch.linspace(0.1, 0.9, 32).expand(80, 3, 32, 32)
        x = ssl.shrunk(replace(stained(), x=ramp.contiguous()), 16).x
        torch.testing.assert_close(
            x[..., 2:-2], ramp.unflatten(-1, (16, 2)).mean(-1)[..., :16, 2:-2], atol=1e-4, rtol=0
        )

    def test_no_border_is_left_and_the_middle_stays(self):
        x = ssl.without_border(stained(), margin=3).x
        rim = torch.cat([x[..., :3, :], x[..., -3:, :], x[..., :3].mT, x[..., -3:].mT], -2)
        assert (rim == 0.5).all()
        assert torch.equal(x[..., 12:20, 12:20], stained().x[..., 12:20, 12:20])
        assert torch.equal(ssl.without_border(replace(stained(), x=torch.ones_like(x))).x.rot90(1, (2, 3)),
                           ssl.without_border(replace(stained(), x=torch.ones_like(x))).x)  # fmt: skip

    def test_no_slope_is_left_and_a_flat_image_stays_flat(self):
        ramp = torch.linspace(-0.2, 0.2, 32)
        dataset = stained()
        sloping = replace(dataset, x=(0.6 * (dataset.x - 0.5) + 0.5 + ramp[:, None] + 0.5 * ramp).clamp(0, 1))
        x = ssl.without_slope(sloping).x
        for direction in (ramp, ramp[:, None]):
            assert (x * direction).mean((2, 3)).abs().max() < 1e-5 < (sloping.x * direction).mean((2, 3)).abs().max()
        flat = replace(dataset, x=torch.full_like(dataset.x, 0.5))
        torch.testing.assert_close(ssl.without_slope(flat).x, flat.x)

    def test_one_channel_is_there_three_times(self):
        x = ssl.one_channel(stained()).x
        assert torch.equal(x[:, 0], x[:, 2]) and torch.equal(x[:, 0], stained().x[:, 1])


def test_the_turn_is_named_where_there_is_an_upright_and_guessed_where_there_is_none():
    dataset = stained()
    upright = (0.5 * dataset.x + 0.5 * torch.linspace(0, 1, 32)[:, None]).clamp(0, 1)
    images = {"upright": replace(dataset, x=upright), "flat": replace(dataset, x=torch.full_like(upright, 0.5))}
    frame = ssl.turns_named(images, seeds=(0,), steps=40, width=4)
    assert set(frame["domain"]) == {EVERYWHERE, "left", "right"} and len(frame) == 6
    value = frame.set_index(["images", "domain"])["value"]
    assert value["upright", EVERYWHERE] > 0.8
    assert value["flat", EVERYWHERE] == 0.25
