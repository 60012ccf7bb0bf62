"""Tasks made from the images alone, as functions of tensors: contrastive, pretext, masked. Chapter: self_supervision.

All of them are names of `medgen_utils.self_supervision` too, which holds the algorithms that train on them.
"""

from __future__ import annotations

import math
from itertools import permutations as all_orders

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# ------------------------------------------------------------------------------------------------- contrastive tasks


def nt_xent(z_a: Tensor, z_b: Tensor, temperature: float = 0.5) -> Tensor:
    """Find the other view of each image among all views: z_a, z_b (n, d), row i of both from image i -> scalar.

    Cross-entropy of cosine similarities / temperature over the 2n - 1 other views, mean over the 2n views; rows are
    L2-normalised inside. Equal rows give log(2n - 1). ValueError for other shapes, n < 2 or temperature <= 0.
    Source: Chen et al. 2020 (SimCLR). Chapter: self_supervision.
    """
    if z_a.shape != z_b.shape or len(z_a) < 2:
        raise ValueError(f"views of shapes {tuple(z_a.shape)} and {tuple(z_b.shape)}: give two of (n, d), n >= 2")
    n = len(z_a)
    partner = torch.arange(2 * n, device=z_a.device).roll(n)
    return F.cross_entropy(_similarities(torch.cat([z_a, z_b]), temperature), partner)


def supervised_contrastive(z: Tensor, y: Tensor, temperature: float = 0.5) -> Tensor:
    """Pull images of one class together: z (n, d), y (n,) -> scalar.

    For each image that has company in its class: minus the mean log-softmax of its similarities to that company, over
    the n - 1 others; mean over these images. Rows are L2-normalised inside; no factor temperature / base temperature
    as in the authors' code. ValueError where no two images share a class, or temperature <= 0.
    Source: Khosla et al. 2020 (L_out). Chapter: self_supervision.
    """
    same = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    company = same.sum(1)
    if not company.any():
        raise ValueError(f"labels {y.tolist()}: no two images share a class, so there is nothing to pull together")
    log_p = _similarities(z, temperature).log_softmax(1).masked_fill(~same, 0)
    return -(log_p.sum(1) / company.clamp(min=1))[company > 0].mean()


def _similarities(z: Tensor, temperature: float) -> Tensor:
    """Cosine similarities / temperature of all rows (n, n), minus infinity on the diagonal."""
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: choose a number above 0")
    z = F.normalize(z, dim=1)
    return (z @ z.T / temperature).masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -math.inf)


def byol_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """2 - 2 cos, mean over rows: prediction, target (n, d) -> scalar in [0, 4]. No gradient flows to the target.

    The squared distance of the normalised rows. Source: Grill et al. 2020 (BYOL). Chapter: self_supervision.
    """
    return (2 - 2 * F.cosine_similarity(prediction, target.detach(), dim=1)).mean()


@torch.no_grad()
def update_momentum(target: nn.Module, online: nn.Module, momentum: float) -> None:
    """Momentum encoder, in place: target weights become momentum * target + (1 - momentum) * online; 1 keeps them."""
    for mine, theirs in zip(target.parameters(), online.parameters(), strict=True):
        mine.lerp_(theirs, 1 - momentum)


def random_crop(x: Tensor, generator: torch.Generator, smallest: float = 0.5) -> Tensor:
    """A random square part of each image, enlarged to its size: x (n, C, H, W) in [0, 1] -> the same shape and range.

    The side is a share of the image's from U(smallest, 1), the place uniform; bilinear. SimCLR's most important
    augmentation. ValueError unless 0 < smallest <= 1. Source: Chen et al. 2020. Chapter: self_supervision.
    """
    if not 0 < smallest <= 1:
        raise ValueError(f"smallest={smallest}: choose a share of the side above 0 and up to 1")
    draws = torch.rand(3, len(x), generator=generator).to(x)
    side = smallest + (1 - smallest) * draws[0]
    matrix = x.new_zeros(len(x), 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = side
    matrix[:, :, 2] = ((1 - side) * (2 * draws[1:] - 1)).T
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


# ----------------------------------------------------------------------------------------- pretext and masked tasks


def rotate_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """Every image in its four orientations: x (n, C, H, H) -> (4n, C, H, H) and the quarter turns (4n,), 0 to 3.

    All turns of 0 first, then of 90 degrees counter-clockwise, and so on. Source: Gidaris et al. 2018.
    """
    turned = torch.cat([torch.rot90(x, k, (2, 3)) for k in range(4)])
    return turned, torch.arange(4, device=x.device).repeat_interleave(len(x))


def to_patches(x: Tensor, size: int) -> Tensor:
    """Cut x (n, C, H, W) into squares: (n, L, C, size, size), row by row. ValueError where a rest is left."""
    n, channels, height, width = x.shape
    if height % size or width % size:
        raise ValueError(f"{height} x {width} px do not divide into patches of {size} px: at 28 px use 2, 4, 7 or 14")
    x = x.reshape(n, channels, height // size, size, width // size, size)
    return x.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)


def from_patches(patches: Tensor) -> Tensor:
    """The inverse of `to_patches` for square images: (n, L, C, size, size) -> (n, C, H, H)."""
    n, length, channels, size, _ = patches.shape
    side = math.isqrt(length)
    patches = patches.reshape(n, side, side, channels, size, size).permute(0, 3, 1, 4, 2, 5)
    return patches.reshape(n, channels, side * size, side * size)


def jigsaw_permutations(tiles: int, number: int, seed: int = 0) -> Tensor:
    """``number`` orders of tiles x tiles pieces, (number, tiles^2) int64: the first is the identity, then far apart.

    Each next order is, of all (tiles 2) or of 1,000 random ones, the one whose least Hamming distance to those chosen
    is the largest. ValueError where there are not so many. Source: Carlucci et al. 2019.
    """
    pieces = tiles**2
    if tiles <= 2:
        pool = np.array(list(all_orders(range(pieces))))
    else:
        pool = np.random.default_rng(seed).permuted(np.tile(np.arange(pieces), (1000, 1)), axis=1)
        pool[0] = np.arange(pieces)
    if not 2 <= number <= len(pool):
        raise ValueError(f"number={number} orders of {pieces} tiles: choose 2 to {len(pool)}")
    chosen, distance = [0], (pool != pool[0]).sum(1)
    while len(chosen) < number:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, (pool != pool[chosen[-1]]).sum(1))
    return torch.from_numpy(pool[chosen])


def jigsaw_batch(x: Tensor, orders: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shuffle the tiles of each image by a random one of ``orders``: x (n, C, H, H) -> the same, and which (n,).

    ``orders`` (P, tiles^2) is what `jigsaw_permutations` gives; tile i of the result is tile order[i] of the image.
    ValueError where the side is not a multiple of tiles (28 px: 2, 4 or 7 tiles, not the 3 of Carlucci et al. 2019).
    """
    tiles = math.isqrt(orders.shape[1])
    if x.shape[2] % tiles:
        raise ValueError(f"{x.shape[2]} px do not divide into {tiles} tiles: at 28 px use 2, 4 or 7")
    patches = to_patches(x, x.shape[2] // tiles)
    drawn = torch.randint(len(orders), (len(x),), generator=generator).to(x.device)
    rows = torch.arange(len(x), device=x.device)[:, None]
    return from_patches(patches[rows, orders.to(x.device)[drawn]]), drawn


def random_masking(
    x: Tensor, share: float, generator: torch.Generator, patch: int = 4, fill: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Hide patches of each image under ``fill``: x (n, C, H, H) -> the same, and mask (n, L) bool, True where hidden.

    Exactly round(share * L) of the L = (H / patch)^2 patches of every image. share in [0, 1], He et al. 2022 hide 0.75.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}: choose a share of the patches from 0 to 1")
    patches = to_patches(x, patch)
    rank = torch.rand(patches.shape[:2], generator=generator).argsort(1).argsort(1)
    mask = (rank < round(share * patches.shape[1])).to(x.device)
    return from_patches(patches.masked_fill(mask[:, :, None, None, None], fill)), mask


def masked_reconstruction_loss(prediction: Tensor, x: Tensor, mask: Tensor, standardize: bool = False) -> Tensor:
    """Mean squared error of the hidden patches only: prediction, x (n, C, H, H), mask (n, L) bool -> scalar.

    ``standardize`` gives each target patch mean 0 and (unbiased) variance 1, plus 1e-6, as He et al. 2022 do.
    ValueError where nothing is hidden. Chapter: self_supervision.
    """
    if not mask.any():
        raise ValueError("mask hides no patch: there is nothing to reconstruct")
    size = x.shape[2] // math.isqrt(mask.shape[1])
    target, guess = (to_patches(images, size).flatten(2) for images in (x, prediction))
    if standardize:
        target = (target - target.mean(2, keepdim=True)) / (target.var(2, keepdim=True) + 1e-6).sqrt()
    return (guess - target).square().mean(2)[mask].mean()
