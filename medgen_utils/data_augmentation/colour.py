"""Colour as scanners and displays change it: hue, saturation, none at all. Chapter: data_augmentation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R 601


def require_colour(x: Tensor, function: str) -> None:
    """ValueError unless x is (N, 3, H, W): a grey image has neither hue nor stain."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"{function} got images of shape {tuple(x.shape)}: it needs colour, (N, 3, H, W)")


def to_grey(x: Tensor) -> Tensor:
    """Colour images (N, 3, H, W) without their colour, still with three channels; ITU-R 601 luminance.

    ValueError for grey images.
    """
    require_colour(x, "to_grey")
    red, green, blue = LUMINANCE
    return torch.add(red * x[:, :1], x[:, 1:2], alpha=green).add_(x[:, 2:], alpha=blue).repeat(1, 3, 1, 1)


def colour_jitter(x: Tensor, generator: torch.Generator, hue: float = 0.05, saturation: float = 0.2) -> Tensor:
    """Other hues and saturations: (N, 3, H, W) in [0, 1] -> the same; 0 and 0 are the identity within rounding.

    For each image the colours turn about the grey axis by U(-hue, hue) of a full circle and their distance from grey is
    multiplied by e^u with u from U(-saturation, saturation). ValueError for grey images. A rotation in RGB, where
    torchvision turns the hue of HSV. Chapter: data_augmentation.
    """
    require_colour(x, "colour_jitter")
    turn, spread = (2 * torch.rand(2, len(x), 1, 1, generator=generator) - 1).to(x)
    angle, spread = 2 * math.pi * hue * turn, torch.exp(saturation * spread)
    grey = torch.full((3, 3), 1 / 3).to(x)
    cross = (torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)).to(x)
    turned = angle.cos() * (torch.eye(3).to(x) - grey) + angle.sin() * cross  # Rodrigues' formula about (1, 1, 1)
    return ((grey + spread * turned) @ x.flatten(2)).clamp_(0, 1).view_as(x)
