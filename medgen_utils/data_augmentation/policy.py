"""A policy that was made for photographs: random operations, one after another. Chapter: data_augmentation.

torchvision has RandAugment too; it draws one operation for a whole batch. Here every image has its own, as in the
source, the draws come from the generator of the training, and grey images and colour ones are treated alike.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.data_augmentation.colour import LUMINANCE
from medgen_utils.data_augmentation.texture import small_move, warp

NAMES = (
    "turn", "shear down", "shear right", "shift right", "shift down", "nothing", "brightness", "contrast", "colour",
    "sharpness", "autocontrast", "equalize", "posterize", "solarize",
)  # fmt: skip
"""What is drawn from; the first six are the moves of `texture.small_move`, in its order."""
MOVES = 6


def rand_augment(
    x: Tensor, generator: torch.Generator, strength: float = 1.0, *, operations: int = 2, cutout: float = 0.25
) -> Tensor:
    """Each image through ``operations`` random ones of `NAMES`, then a grey square on it: (N, C, H, W) in [0, 1].

    Each operation's amount is drawn from U(0, strength) with a random sign, see `operate`; the square has a side of
    ``cutout`` times strength, as a share of the image's, anywhere. Strength 0 is the identity, 1 the strongest that
    RandAugment has. ValueError for a strength outside 0 to 1. Sources: Cubuk et al. 2020 (RandAugment), DeVries &
    Taylor 2017 (Cutout); together, with random amounts, as Sagawa et al. 2022 (WILDS 2.0). Chapter: data_augmentation.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength={strength}: use 0 (the identity) to 1 (the strongest that RandAugment has)")
    kinds = torch.randint(len(NAMES), (operations, len(x)), generator=generator)
    amounts = strength * (2 * torch.rand(operations, len(x), generator=generator) - 1)
    centres = torch.rand(2, len(x), generator=generator)
    if strength == 0:
        return x
    for kind, amount in zip(kinds, amounts, strict=True):
        order = kind.argsort()  # images of one operation stand together, so each operation is a slice of the batch
        sizes = kind.bincount(minlength=len(NAMES)).tolist()
        moved = sum(sizes[:MOVES])
        parts = x[order.to(x.device)].split([moved, *sizes[MOVES:]])
        shares = amount[order].split([moved, *sizes[MOVES:]])
        moves = small_move(kind[order[:moved]], 10 * shares[0]).to(x)
        done = [warp(parts[0], moves)] if moved else []
        for name, part, share in zip(NAMES[MOVES:], parts[1:], shares[1:], strict=True):
            if len(part):
                done.append(operate(name, part, share.to(x)))
        x = torch.cat(done)[order.argsort().to(x.device)]
    return cut_out(x, centres, cutout * strength)


def operate(name: str, x: Tensor, amount: Tensor) -> Tensor:
    """One operation on images (n, C, H, W) in [0, 1] with amounts (n,) in [-1, 1]; an amount of 0 changes nothing.

    brightness, contrast, colour, sharpness: the distance from black, from the image's mean, from its grey version and
    from its smoothed one, times 1 + 0.9 amount. posterize: up to 4 of 8 bits go. solarize: what is brighter than
    1 - |amount| is inverted. autocontrast (the darkest value black, the brightest white) and equalize (all values
    alike often) have no amount in the paper: here the image goes the share |amount| of the way. KeyError for others.
    """
    amount = amount.view(-1, 1, 1, 1)
    if name == "posterize":
        step = 2.0 ** (4 * amount.abs()).round()
        return torch.where(step > 1, (x * 255 / step).floor() * step / 255, x)
    if name == "solarize":
        return torch.where(x > 1 - amount.abs(), 1 - x, x)
    if name in ("autocontrast", "equalize"):
        return torch.lerp(x, stretch(x) if name == "autocontrast" else equalize(x), amount.abs())
    without = {"brightness": torch.zeros_like, "contrast": mean_grey, "colour": grey, "sharpness": smooth}[name](x)
    return torch.lerp(without.expand_as(x), x, 1 + 0.9 * amount).clamp(0, 1)


def grey(x: Tensor) -> Tensor:
    """Luminance (n, 1, H, W) of colour images; a grey image is its own."""
    if x.shape[1] != 3:
        return x
    return (x * torch.tensor(LUMINANCE).to(x).view(3, 1, 1)).sum(1, keepdim=True)


def mean_grey(x: Tensor) -> Tensor:
    """The mean luminance of each image, (n, 1, 1, 1)."""
    return grey(x).mean((1, 2, 3), keepdim=True)


def smooth(x: Tensor) -> Tensor:
    """Each pixel as a weighted mean of it (5) and its eight neighbours (1 each); the border stays."""
    kernel = torch.ones(x.shape[1], 1, 3, 3).to(x)
    kernel[:, :, 1, 1] = 5
    result = x.clone()
    result[..., 1:-1, 1:-1] = F.conv2d(x, kernel / 13, groups=x.shape[1])
    return result


def stretch(x: Tensor) -> Tensor:
    """The darkest value of each image and channel to 0, the brightest to 1; a constant channel stays as it is."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp_min(1e-6), x)


def equalize(x: Tensor) -> Tensor:
    """The values of each image and channel as shares of darker pixels: the darkest 0, the brightest 1, evenly spread.

    A constant channel stays as it is.
    """
    values = x.detach().flatten(2)
    ordered = values.sort(2).values
    darker = torch.searchsorted(ordered, values.contiguous()).view_as(x).to(x)
    brightest = darker.amax((2, 3), keepdim=True)
    return torch.where(brightest > 0, darker / brightest.clamp_min(1), x)


def cut_out(x: Tensor, centres: Tensor, side: float) -> Tensor:
    """A square of 0.5 on each image (n, C, H, W): centres (2, n) in [0, 1], ``side`` as a share of the image's."""
    height, width = x.shape[-2:]
    down, right = centres.to(x)[:, :, None]
    rows = ((torch.arange(height).to(x) + 0.5) / height - down).abs() <= side / 2
    columns = ((torch.arange(width).to(x) + 0.5) / width - right).abs() <= side / 2
    return torch.where((rows[:, :, None] & columns[:, None])[:, None], 0.5, x)
