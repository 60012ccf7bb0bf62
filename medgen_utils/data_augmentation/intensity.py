"""Augmentation: train on variety that the training hospitals do not show. Chapter: data_augmentation.

An augmentation is a function of images (N, C, H, W) in [0, 1] and a generator; it draws for every image anew.
The draws come from a CPU generator and are moved to the images' device, so they are the same on every device.
`training.fit` takes one as ``augment``; `compose` makes one of several, ``functools.partial`` sets a strength.
What mixes images of several hospitals is in `mixing`, stains are in `stain`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.data_augmentation.stain import (
    require_colour,
)
from medgen_utils.domains import Batch
from medgen_utils.training import ERM, Augmentation

LUMINANCE = (0.299, 0.587, 0.114)
PORTION = 2**19  # numbers handled at a time: 2 MB fit the cache, and their memory is used again for the next ones
QUANTILES = torch.special.ndtri((torch.arange(2**16) + 0.5) / 2**16)  # of the normal distribution, -4.3 to 4.3
_ORDERS = [torch.randperm(2**16, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
NORMAL = torch.stack([QUANTILES[order] for order in _ORDERS], 1).view(torch.complex128)  # four numbers in each place


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


def to_grey(x: Tensor) -> Tensor:
    """Colour images (N, 3, H, W) without their colour, still with three channels; ITU-R 601 luminance.

    ValueError for grey images.
    """
    require_colour(x, "to_grey")
    red, green, blue = LUMINANCE
    return torch.add(red * x[:, :1], x[:, 1:2], alpha=green).add_(x[:, 2:], alpha=blue).repeat(1, 3, 1, 1)


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
        power, stretch, scale, shift, softness, grain = draws[:, part]
        if blur:
            y = gaussian_blur(y, blur * softness.flatten())
        if gamma:  # a power; log1p and exp2 are the cheapest of their kinds and together half the price of pow
            exponent = torch.exp(gamma * power) / math.log(2)
            y = (y - 1).clamp_min_(1e-7 - 1).log1p_().mul_(exponent).exp2_()
        if contrast or gain or brightness:
            stretch, scale = torch.exp(contrast * stretch), torch.exp(gain * scale)
            mean = y.mean((1, 2, 3), keepdim=True)
            y = (y * (scale * stretch)).add_(scale * (1 - stretch) * mean + brightness * shift)
        if noise:
            y = _normal(y.shape, generator).to(y).mul_(noise * grain).add_(y)
        result[part] = y.clamp(0, 1)
    return result


def _normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard normal numbers, faster than `torch.randn`: 16 random bits choose four numbers of a table."""
    count = math.prod(shape)
    bits = torch.empty(math.ceil(count / 16), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    places = bits.view(torch.int16).int().add_(2**15)
    return NORMAL.flatten().index_select(0, places).view(torch.float32)[:count].view(shape)


def gaussian_blur(x: Tensor, sigma: Tensor) -> Tensor:
    """Blur image i of (N, C, H, W) with a Gaussian of sigma[i] pixels (0: none), weights renormalized at the border."""
    radius = max(1, math.ceil(3 * float(sigma.max())))
    place = torch.arange(-radius, radius + 1, device=x.device)
    bell = torch.exp(-0.5 * (place / sigma.to(x).clamp_min(1e-3)[:, None]) ** 2)
    bell = bell * (bell > 1e-6)  # smaller numbers change nothing and make a processor slow
    bell = bell / bell.sum(1, keepdim=True)
    kernels = (bell[:, :, None] * bell[:, None]).repeat_interleave(x.shape[1], 0)[:, None]
    y = F.conv2d(x.flatten(0, 1)[None], kernels, padding=radius, groups=len(kernels)).view(x.shape)
    reached = [torch.arange(size, device=x.device) + place[:, None] for size in x.shape[2:]]
    down, right = ((bell @ ((at >= 0) & (at < at.shape[1])).to(x)).reciprocal_() for at in reached)
    return y.mul_(down[:, None, :, None] * right[:, None, None])  # the inverse of the weight that fell inside


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


def random_convolution(
    x: Tensor,
    generator: torch.Generator,
    strength: float = 1.0,
    *,
    mix: bool = True,
    kernel_sizes: Sequence[int] = (1, 3, 5, 7),
) -> Tensor:
    """Other local texture, same shapes: (N, C, H, W) in [0, 1] -> the same shape, NOT confined to [0, 1].

    One random filter for the whole batch, as in the paper: size drawn from ``kernel_sizes`` (odd numbers), weights
    N(0, 1 / (C k^2)), on intensities centred at 0.5. ``mix``: a * filtered + (1 - a) * x with a from U(0, strength)
    (RC_mix); otherwise filtered with probability strength / 2, else x (RC_img). Source: Xu et al. 2021.
    Chapter: data_augmentation.
    """
    channels = x.shape[1]
    size = kernel_sizes[int(torch.randint(len(kernel_sizes), (), generator=generator))]
    weight = torch.randn(channels, channels, size, size, generator=generator) / math.sqrt(channels * size**2)
    chance = float(torch.rand((), generator=generator))
    amount = strength * chance if mix else float(chance < strength / 2)
    if amount == 0:
        return x
    return torch.lerp(x, F.conv2d(x - 0.5, weight.to(x), padding=size // 2) + 0.5, amount)


def augmix(x: Tensor, generator: torch.Generator, severity: float = 3.0, *, width: int = 3, depth: int = 3) -> Tensor:
    """A random blend of randomly changed copies of each image: (N, C, H, W) in [0, 1] -> the same; severity 0 to 10.

    ``width`` copies go through chains of 1 to ``depth`` operations and are averaged with Dirichlet(1) weights; the
    image and that average are then mixed with a share from U(0, 1). Operations: turn (up to 3 degrees times severity),
    shear (0.03 times), shift (1/30 of the side times), along either axis, and rounding to fewer grey levels: nothing
    that changes brightness, contrast, blur or noise, on which robustness is tested. The geometric operations of a chain
    act as one warp. Severity 0 is the identity. Source: Hendrycks et al. 2020. Chapter: data_augmentation.
    """
    n = len(x)
    kinds = torch.randint(6, (width * n, depth), generator=generator)
    amounts = severity * (2 * torch.rand(width * n, depth, generator=generator) - 1)
    length = torch.randint(1, depth + 1, (width * n, 1), generator=generator)
    blend = -torch.rand(width, n, generator=generator).clamp_min(1e-12).log()
    share = torch.rand(n, 1, 1, 1, generator=generator).to(x)
    if severity == 0:
        return x
    amounts = torch.where(torch.arange(depth) < length, amounts, 0.0)
    warp, *later = _affine(kinds, amounts).unbind(1)
    for move in later:
        warp = move @ warp
    coarse = torch.where(kinds == 5, amounts.abs(), 0.0).amax(1) / 100  # a step of up to a tenth of the grey scale
    step = coarse.clamp_min(2**-24).to(x).view(width, n, 1, 1, 1)  # the smallest is no change: a float's own step
    weight = step * (blend / blend.sum(0)).to(x)[..., None, None, None] * (1 - share)
    result = share * x
    for chain, matrix in enumerate(warp.to(x).split(n)):
        result.add_(_warp(x, matrix).div_(step[chain]).round_().mul_(weight[chain]))
    return result.clamp_(0, 1)


def _affine(kind: Tensor, amount: Tensor) -> Tensor:
    """Matrices (..., 3, 3) in the coordinates -1 to 1 of `grid_sample`: 0 turn, 1 2 shear, 3 4 shift, 5 nothing."""
    matrix = torch.eye(3).repeat(*kind.shape, 1, 1)
    angle = torch.where(kind == 0, math.radians(3) * amount, 0.0)
    matrix[..., 0, 0] = matrix[..., 1, 1] = angle.cos()
    matrix[..., 1, 0] = angle.sin() + torch.where(kind == 1, 0.03 * amount, 0.0)
    matrix[..., 0, 1] = -angle.sin() + torch.where(kind == 2, 0.03 * amount, 0.0)
    matrix[..., 0, 2] = torch.where(kind == 3, amount / 15, 0.0)  # a side is 2 long
    matrix[..., 1, 2] = torch.where(kind == 4, amount / 15, 0.0)
    return matrix


def _warp(x: Tensor, matrix: Tensor) -> Tensor:
    """Look up image i of (N, C, H, W) at matrix[i] (3, 3) times each place; the border pixel continues outside."""
    down, right = (((2 * torch.arange(size) + 1) / size - 1).to(x) for size in x.shape[-2:])
    first, second, offset = torch.view_as_complex(matrix[:, :2].mT.contiguous())[..., None, None].unbind(1)
    grid = torch.view_as_real(first * right + (second * down[:, None] + offset))  # one complex number, two coordinates
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def augmix_jsd(logits_clean: Tensor, logits_1: Tensor, logits_2: Tensor) -> Tensor:
    """Jensen-Shannon divergence of three predictions of the same images: logits (n, k) each -> scalar in [0, log 3].

    Convention: mean of the three KL(p_i || average), averaged over images ("batchmean"), the average clamped at 1e-7.
    Source: Hendrycks et al. 2020. Chapter: data_augmentation.
    """
    log_p = torch.stack([logits_clean, logits_1, logits_2]).log_softmax(2)
    p = log_p.exp()
    return (p * (log_p - p.mean(0).clamp_min(1e-7).log())).sum(2).mean()


class AugMix(ERM):
    """Cross-entropy of the clean images plus ``weight`` times `augmix_jsd` with two augmented views of each.

    One step costs three forward passes. None takes the defaults that the class names. Source: Hendrycks et al. 2020.
    """

    augment: Augmentation = staticmethod(augmix)
    weight = 12.0

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        augment: Augmentation | None = None,
        weight: float | None = None,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.augment = augment or self.augment
        self.weight = self.weight if weight is None else weight

    def views(self, x: Tensor) -> list[Tensor]:
        """The three versions of the images; the labels are learned on the first."""
        return [x, self.augment(x, torch.default_generator), self.augment(x, torch.default_generator)]

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y = (torch.cat(parts) for parts in list(zip(*batches, strict=True))[:2])
        logits = self.predict(torch.cat(self.views(x))).chunk(3)
        loss, divergence = F.cross_entropy(logits[0], y), augmix_jsd(*logits)
        total = loss + self.weight * divergence
        return total, {"loss": loss.item(), "divergence": divergence.item()}


class RandConv(AugMix):
    """`AugMix`'s objective with three random convolutions of each image, none of them clean. Source: Xu et al. 2021.

    The paper's weight for its mixed variant is 10.
    """

    augment: Augmentation = staticmethod(random_convolution)
    weight = 10.0

    def views(self, x: Tensor) -> list[Tensor]:
        return [self.augment(x, torch.default_generator) for _ in range(3)]
