"""Texture and geometry that no class depends on: random convolutions, AugMix. Chapter: data_augmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.domains import Batch, joined
from medgen_utils.training import ERM, Augmentation


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
    matrices, *later = small_move(kinds, amounts).unbind(1)
    for move in later:
        matrices = move @ matrices
    coarse = (amounts.abs() * (kinds == 5)).amax(1) / 100  # a step of up to a tenth of the grey scale
    step = coarse.clamp_min(2**-24).to(x).view(width, n, 1, 1, 1)  # the smallest is no change: a float's own step
    weight = step * (blend / blend.sum(0)).to(x)[..., None, None, None] * (1 - share)
    result = share * x
    for chain, matrix in enumerate(matrices.to(x).split(n)):
        result.add_(warp(x, matrix).div_(step[chain]).round_().mul_(weight[chain]))
    return result.clamp_(0, 1)


def small_move(kind: Tensor, amount: Tensor) -> Tensor:
    """Matrices (..., 3, 3) in the coordinates -1 to 1 of `grid_sample`: 0 turn, 1 2 shear, 3 4 shift, 5 nothing."""
    matrix = torch.eye(3).repeat(*kind.shape, 1, 1)
    angle = torch.where(kind == 0, math.radians(3) * amount, 0.0)
    matrix[..., 0, 0] = matrix[..., 1, 1] = angle.cos()
    matrix[..., 1, 0] = angle.sin() + torch.where(kind == 1, 0.03 * amount, 0.0)
    matrix[..., 0, 1] = -angle.sin() + torch.where(kind == 2, 0.03 * amount, 0.0)
    matrix[..., 0, 2] = torch.where(kind == 3, amount / 15, 0.0)  # a side is 2 long
    matrix[..., 1, 2] = torch.where(kind == 4, amount / 15, 0.0)
    return matrix


def warp(x: Tensor, matrix: Tensor) -> Tensor:
    """Look up image i of (N, C, H, W) at matrix[i] (3, 3) times each place; the border pixel continues outside.

    What ``grid_sample(x, affine_grid(matrix[:, :2], x.shape))`` does. The two coordinates of a place are one complex
    number here, and a place costs one product and one sum: 8 ms for 128 images of 3 x 64 x 64 on one core, not 17 ms.
    """
    down, right = (((2 * torch.arange(size) + 1) / size - 1).to(x) for size in x.shape[-2:])
    first, second, offset = torch.view_as_complex(matrix[:, :2].mT.contiguous())[..., None, None].unbind(1)
    grid = torch.view_as_real(first * right + (second * down[:, None] + offset))
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
        x, y, _ = joined(batches)
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
