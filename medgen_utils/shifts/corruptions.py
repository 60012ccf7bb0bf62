"""Damage to images, by kind and severity, as a stress test. Chapter: evaluation_reports.

The idea of ImageNet-C (Hendrycks & Dietterich 2019) and MedMNIST-C (Di Salvo et al. 2024), with amounts of our own
that suit 28 pixels and up. Taught as ``shifts.corrupt`` and ``shifts.CORRUPTIONS``. A family that serves as training
augmentation is no test any more: hold whole families out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.data_augmentation.intensity import gaussian_blur
from medgen_utils.data_augmentation.stain import combine_stains, separate_stains

MODALITIES = ("x-ray", "ultrasound", "histology")


@dataclass(frozen=True)
class Corruption:
    """How to damage images: ``apply(x, amount, generator)``, five amounts, its family, where it occurs."""

    apply: Callable[[Tensor, float, torch.Generator], Tensor]
    amounts: tuple[float, float, float, float, float]
    family: str
    modalities: tuple[str, ...] = MODALITIES


def corrupt(x: Tensor, name: str, severity: int, generator: torch.Generator) -> Tensor:
    """Images (n, C, H, W) in [0, 1] damaged by ``CORRUPTIONS[name]``, clipped to [0, 1]; x itself stays as it is.

    severity: 0 (nothing changes) to 5; the mean change grows with it. Draws are made on the CPU from ``generator``,
    one set per image, the same for every severity. ValueError for an unknown name or severity, and where an image
    does not fit (stain shift needs three channels).
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"no corruption {name!r}: choose from {sorted(CORRUPTIONS)}")
    if severity not in range(6):
        raise ValueError(f"severity={severity}: choose 0, 1, 2, 3, 4 or 5")
    if x.ndim != 4 or not x.is_floating_point():
        raise ValueError(f"images {tuple(x.shape)} of {x.dtype}: pass floats in [0, 1] of shape (n, C, H, W)")
    if severity == 0 or len(x) == 0:
        return x.clone()
    kind = CORRUPTIONS[name]
    return kind.apply(x, kind.amounts[severity - 1], generator).clamp(0, 1)


def _normal(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator).to(x)


def gaussian_noise(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Independent noise of standard deviation ``amount`` in every pixel: a low dose, an amplified signal."""
    return x + amount * _normal(x, generator)


def speckle(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Noise in proportion to the signal, x (1 + amount n), grains two pixels wide as interference makes them."""
    noise = F.avg_pool2d(F.pad(_normal(x[:, :1], generator), (1, 0, 1, 0), mode="reflect"), 2, stride=1) * 2
    return x * (1 + amount * noise)


def blur(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Gaussian blur; ``amount`` is its standard deviation in pixels of a 28-pixel image, scaled to the width of x."""
    return gaussian_blur(x, torch.full((len(x),), amount * x.shape[-1] / 28))


def low_contrast(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Every pixel moves by the share ``amount`` towards the mean of its image."""
    return x + amount * (x.mean(dim=(1, 2, 3), keepdim=True) - x)


def gamma(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """x^(1 + amount): dark parts get darker, black and white stay; another display curve."""
    return x ** (1 + amount)


def brightness(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """``amount`` added to every pixel and clipped: overexposure."""
    return x + amount


def pixelate(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Averaged to ``1 - amount`` of its height and width and put back as squares: a low resolution."""
    size = [max(1, round((1 - amount) * side)) for side in x.shape[-2:]]
    return F.interpolate(F.interpolate(x, size, mode="area"), x.shape[-2:], mode="nearest-exact")


def jpeg_like(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """What JPEG loses: cosine coefficients of 8 x 8 blocks rounded to steps of ``amount`` times (1 + u + v).

    Every channel by itself, without the colour transform and the standard tables of real JPEG.
    """
    n, c, height, width = x.shape
    padded = F.pad(x, (0, -width % 8, 0, -height % 8), mode="replicate")
    k = torch.arange(8, dtype=x.dtype, device=x.device)
    basis = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / 16) * torch.where(k == 0, 0.125, 0.25).sqrt()[:, None]
    blocks = padded.unfold(2, 8, 8).unfold(3, 8, 8)  # (n, c, rows, columns, 8, 8)
    step = amount * (1 + k[:, None] + k[None])
    blocks = basis.T @ (torch.round(basis @ blocks @ basis.T / step) * step) @ basis
    return blocks.transpose(3, 4).reshape(n, c, *padded.shape[2:])[:, :, :height, :width]


def bias_field(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Brightness that changes smoothly across the image: x exp(amount f), f a random quadratic in [-1, 1]."""
    rows, columns = (torch.linspace(-1, 1, side, dtype=x.dtype, device=x.device) for side in x.shape[-2:])
    v, u = torch.meshgrid(rows, columns, indexing="ij")
    terms = torch.stack([u, v, u * v, u**2 - 1 / 3, v**2 - 1 / 3])
    weights = torch.randn((len(x), 5), generator=generator).to(x)
    field = torch.einsum("nk,khw->nhw", weights, terms)[:, None]
    return x * torch.exp(amount * field / field.abs().amax(dim=(1, 2, 3), keepdim=True))


def stain_shift(x: Tensor, amount: float, generator: torch.Generator) -> Tensor:
    """Haematoxylin and eosin stronger or weaker by the share ``amount``, in a direction drawn for each image."""
    signs = 2 * torch.randint(2, (len(x), 2, 1, 1), generator=generator) - 1
    scale = 1 + amount * F.pad(signs.to(x), (0, 0, 0, 0, 0, 1))  # the third, residual stain stays
    return combine_stains(separate_stains(x) * scale)


_CAMERAS = ("x-ray", "ultrasound")
CORRUPTIONS: dict[str, Corruption] = {
    "gaussian noise": Corruption(gaussian_noise, (0.03, 0.06, 0.10, 0.15, 0.20), "noise"),
    "speckle": Corruption(speckle, (0.10, 0.20, 0.35, 0.50, 0.70), "noise", ("ultrasound",)),
    "blur": Corruption(blur, (0.5, 0.75, 1.0, 1.5, 2.0), "blur"),
    "pixelate": Corruption(pixelate, (0.25, 0.43, 0.58, 0.68, 0.75), "blur"),
    "jpeg-like": Corruption(jpeg_like, (0.03, 0.06, 0.10, 0.15, 0.22), "compression"),
    "low contrast": Corruption(low_contrast, (0.2, 0.35, 0.5, 0.65, 0.8), "intensity"),
    "gamma": Corruption(gamma, (0.25, 0.5, 0.9, 1.4, 2.0), "intensity"),
    "brightness": Corruption(brightness, (0.08, 0.16, 0.24, 0.32, 0.40), "intensity"),
    "bias field": Corruption(bias_field, (0.2, 0.4, 0.6, 0.8, 1.0), "intensity", _CAMERAS),
    "stain shift": Corruption(stain_shift, (0.1, 0.2, 0.3, 0.4, 0.5), "stain", ("histology",)),
}
"""The corruptions by name, grouped into families; a stress test reports families that training never used."""
