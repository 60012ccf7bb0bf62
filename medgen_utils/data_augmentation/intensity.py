"""Augmentation: train on variety that the training hospitals do not show. Chapter: data_augmentation.

An augmentation is a function of images (N, C, H, W) in [0, 1] and a generator; it draws for every image anew.
The draws come from a CPU generator and are moved to the images' device, so they are the same on every device.
`training.fit` takes one as ``augment``; `compose` makes one of several, ``functools.partial`` sets a strength.
Here is what one scanner does to intensities; colour is in `colour`, stains in `stain`, local structure in `texture`,
what mixes images of several hospitals in `mixing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.training import Augmentation

WIDE = 7  # pixels of radius above which a convolution in the plane costs more than two products of matrices
PORTION = 2**19  # numbers handled at a time: 2 MB fit the cache, and their memory is used again for the next ones


def compose(*functions: Augmentation) -> Augmentation:
    """One augmentation that applies the given ones in order."""

    def composed(x: Tensor, generator: torch.Generator) -> Tensor:
        for function in functions:
            x = function(x, generator)
        return x

    return composed


def standardize_per_image(x: Tensor) -> Tensor:
    """Zero mean and unit variance for each image, channels together: (N, C, H, W) -> the same shape, unbounded.

    No augmentation but its counterpart: it removes gain and offset instead of varying them. For
    ``build(normalize=standardize_per_image)``. A constant image becomes 0. Chapter: data_augmentation.
    """
    centred = x - x.mean((1, 2, 3), keepdim=True)
    variance = centred.square().mean((1, 2, 3), keepdim=True)
    return centred * (variance + 1e-8).rsqrt()


def intensity_jitter(
    x: Tensor,
    generator: torch.Generator,
    strength: float = 1.0,
    *,
    gamma: float = 0.4,
    contrast: float = 0.4,
    gain: float = 0.2,
    brightness: float = 0.1,
    blur: float = 0.0,
    noise: float = 0.0,
) -> Tensor:
    """Another scanner's rendering of each image: (N, C, H, W) in [0, 1] -> the same; strength 0 is the identity.

    Stacked in this order, each drawn for each image: Gaussian blur (standard deviation from U(0, blur) pixels), x to
    the power e^u with u from U(-gamma, gamma), contrast about the image's mean times e^u with u from
    U(-contrast, contrast), intensities times e^u with u from U(-gain, gain), plus U(-brightness, brightness),
    Gaussian noise (standard deviation from U(0, noise)); then clamped to [0, 1]. ``strength`` scales them all, and the
    draws do not depend on it. Source: the intensity part of BigAug (Zhang et al. 2020). Chapter: data_augmentation.
    """
    draws = torch.rand(6, len(x), 1, 1, 1, generator=generator) * strength
    if strength == 0:
        return x
    draws = torch.cat([2 * draws[:4] - strength, draws[4:]]).to(x)
    portion = 16 * max(1, PORTION // (16 * x[0].numel()))  # whole blocks of 16 channels are convolved fastest
    result = torch.empty_like(x)
    for start in range(0, len(x), portion):
        part = slice(start, start + portion)
        y = x[part]
        bend, stretch, scale, shift, softness, grain = draws[:, part]
        if blur:
            y = gaussian_blur(y, blur * softness.flatten())
        if gamma:
            y = power(y, torch.exp(gamma * bend))
        if contrast or gain or brightness:
            stretch, scale = torch.exp(contrast * stretch), torch.exp(gain * scale)
            mean = y.mean((1, 2, 3), keepdim=True)
            y = (y * (scale * stretch)).add_(scale * (1 - stretch) * mean + brightness * shift)
        if noise:
            y = normal_numbers(y.shape, generator).to(y).mul_(noise * grain).add_(y)
        result[part] = y.clamp(0, 1)
    return result


def gaussian_blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Blur image i of (N, C, H, W) with a Gaussian of sigma[i] pixels (0: none), weights renormalized at the border."""
    radius = max(1, math.ceil(3 * float(sigma.max())))
    if radius > WIDE:
        return _wide_blur(x, sigma.to(x), radius)
    place = torch.arange(-radius, radius + 1, device=x.device)
    bell = torch.exp(-0.5 * (place / sigma.to(x).clamp_min(1e-3)[:, None]) ** 2)
    bell = bell * (bell > 1e-6)  # smaller numbers change nothing and make a processor slow
    bell = bell / bell.sum(1, keepdim=True)
    kernels = (bell[:, :, None] * bell[:, None]).repeat_interleave(x.shape[1], 0)[:, None]
    y = F.conv2d(x.flatten(0, 1)[None], kernels, padding=radius, groups=len(kernels)).view(x.shape)
    reached = [torch.arange(size, device=x.device) + place[:, None] for size in x.shape[2:]]
    down, right = ((bell @ ((at >= 0) & (at < at.shape[1])).to(x)).reciprocal_() for at in reached)
    return y.mul_(down[:, None, :, None] * right[:, None, None])  # the inverse of the weight that fell inside


def _wide_blur(x: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """`gaussian_blur` as two products of matrices: each row, then each column, becomes a weighted mean of all."""

    def weights(size: int) -> Tensor:
        place = torch.arange(size, device=x.device)
        apart = (place - place[:, None]).abs()
        bell = torch.exp(-0.5 * (apart / sigma.clamp_min(1e-3)[:, None, None]) ** 2) * (apart <= radius)
        bell = bell * (bell > 1e-6)
        return (bell / bell.sum(2, keepdim=True))[:, None]

    return weights(x.shape[2]) @ x @ weights(x.shape[3]).mT


def power(x: Tensor, exponent: Tensor) -> Tensor:
    """x ** exponent for x (..., ) in [0, 1] and an exponent that broadcasts; below 1e-7 x counts as 1e-7.

    Written as 2 ** (log(1 + (x - 1)) * exponent / log 2), since log1p and exp2 are the cheapest of their kinds: 0.31 ms
    for 400,000 numbers on one core, where ``x ** exponent`` takes 0.67 ms.
    """
    return (x - 1).clamp_min_(1e-7 - 1).log1p_().mul_(exponent / math.log(2)).exp2_()


QUANTILES = torch.special.ndtri((torch.arange(2**16) + 0.5) / 2**16)  # of the normal distribution, -4.3 to 4.3
_ORDERS = [torch.randperm(2**16, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
_TABLE = torch.stack([QUANTILES[order] for order in _ORDERS], 1).view(torch.complex128).flatten()


def normal_numbers(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard normal numbers of the given shape, from a table: what noise is made of.

    16 random bits choose a place of the table, which holds four of the normal distribution's 65,536 quantiles (in four
    different orders, so the four are as good as independent). The four are stored as one complex number of 16 bytes,
    which is moved at once: 0.16 ms for 400,000 numbers on one core, where `torch.randn` takes 1.0 ms and a table of
    single quantiles 0.48 ms.
    """
    count = math.prod(shape)
    bits = torch.empty(math.ceil(count / 16), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    places = bits.view(torch.int16).int().add_(2**15)
    return _TABLE.index_select(0, places).view(torch.float32)[:count].view(shape)
