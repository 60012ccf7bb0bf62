"""Stains of haematoxylin and eosin slides: separate, vary, normalize. Chapter: data_augmentation.

A stain absorbs light, and absorptions add up where intensities multiply: the optical density -log(x) of a pixel is
the sum of its stains, each with a colour of its own (Beer and Lambert).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from medgen_utils.data_augmentation.colour import require_colour

HED = torch.tensor([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical density of haematoxylin, eosin and DAB (rows) in red, green, blue (Ruifrok & Johnston 2001)."""
_DARKEST = 1e-6  # intensity below which a pixel counts as this dark
_WHITE = 240 / 255  # Macenko's white of an empty slide


def separate_stains(x: Tensor) -> Tensor:
    """Images (N, 3, H, W) in [0, 1] -> haematoxylin, eosin, DAB (N, 3, H, W), in natural-log optical density.

    Not clipped at 0 (scikit-image clips), so `combine_stains` gives the image back. ValueError for grey images.
    """
    require_colour(x, "separate_stains")
    density = -x.clamp_min(_DARKEST).log().flatten(2)
    return (HED.to(x).inverse().T @ density).view_as(x)


def combine_stains(stains: Tensor) -> Tensor:
    """The inverse of `separate_stains`: stains (N, 3, H, W) -> images in [0, 1]."""
    return torch.exp(-(HED.to(stains).T @ stains.flatten(2))).clamp(0, 1).view_as(stains)


def stain_jitter(x: Tensor, generator: torch.Generator, strength: float = 0.1) -> Tensor:
    """Other amounts of each stain, as another laboratory might leave: (N, 3, H, W) in [0, 1] -> the same.

    Stain s becomes a * s + b with a from U(1 - strength, 1 + strength) and b from U(-strength, strength), drawn for
    each image and stain; 0.05 is light and 0.2 strong, 0 is the identity within 1e-5. ValueError for grey images.
    Convention: natural-log optical density, stains not clipped. Source: Tellez et al. 2018. Chapter: data_augmentation.
    """
    require_colour(x, "stain_jitter")
    scale, shift = (strength * (2 * torch.rand(2, len(x), 3, generator=generator) - 1)).to(x)
    basis = HED.to(x)
    mix = ((basis.inverse() * (1 + scale)[:, None]) @ basis).transpose(1, 2)  # one 3 x 3 matrix an image
    density = x.clamp_min(_DARKEST).log_().flatten(2)
    return torch.baddbmm(-(shift @ basis)[:, :, None], mix, density).exp_().clamp(0, 1).view_as(x)


class Stains(NamedTuple):
    """What Macenko's method finds in each image: colours (N, 3, 2), strength (N, 2) its 99th percentile, found (N,)."""

    colours: Tensor
    strength: Tensor
    found: Tensor


REFERENCE = Stains(
    torch.tensor([[[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]]]),
    torch.tensor([[1.9705, 1.0308]]),
    torch.tensor([True]),
)
"""The slide that Macenko's published code normalizes to."""


def macenko(x: Tensor) -> Stains:
    """Colours and strengths of the two stains of each image (N, 3, H, W) in [0, 1], haematoxylin first.

    The two extreme directions (1st and 99th percentile of the angle) in the plane that holds most of the optical
    density of the pixels that are not background (density >= 0.15 in every channel). ``found`` is False where fewer
    than 20 such pixels leave nothing to estimate. ValueError for grey images. Source: Macenko et al. 2009.
    """
    require_colour(x, "macenko")
    return _find_stains(_density(x))


def _find_stains(density: Tensor) -> Stains:
    tissue = density.amin(1) >= 0.15
    count = tissue.sum(1)
    weight = tissue.to(density)[:, None] / count.clamp_min(2)[:, None, None]
    mean = density @ weight.mT
    centred = density - mean
    covariance = (centred * weight) @ centred.mT
    covariance = torch.where((count >= 20)[:, None, None], covariance, torch.eye(3).to(density))
    plane = torch.linalg.eigh(covariance)[1][:, :, 1:]
    plane = plane * torch.where(plane.mT @ mean < 0, -1, 1).mT  # the sign of an eigenvector is arbitrary, so fixed
    across, along = (plane.mT @ density).unbind(1)
    angle = torch.atan2(along, across)
    hidden = torch.where(tissue, 0.0, -torch.inf).to(density)
    angle = percentile_99(torch.stack([hidden - angle, hidden + angle], 1), count)
    angle = angle * torch.tensor([-1, 1]).to(density)  # the 1st and the 99th percentile
    colours = plane @ torch.stack([angle.cos(), angle.sin()], 1)
    swap = (colours[:, 0, 0] < colours[:, 0, 1])[:, None, None]  # haematoxylin absorbs more red
    colours = torch.where(swap, colours.flip(2), colours)
    amounts = torch.linalg.pinv(colours) @ density
    return Stains(colours, percentile_99(amounts, torch.full_like(count, amounts.shape[2])), count >= 20)


def percentile_99(values: Tensor, count: Tensor) -> Tensor:
    """Of (N, k, pixels) in each image the ``count`` (N,) highest values: their 99th percentile (nearest rank), (N, k).

    Without a full sort. On the CPU by NumPy's partition, which takes a quarter to a tenth of the time of torch's topk
    and gives the same value. 0 for an image without a value.
    """
    rank = ((count - 1) - (0.99 * (count - 1).double()).round().long()).clamp_min(0)
    if values.device.type == "cpu":
        places = (values.shape[2] - 1 - rank).tolist()
        images = zip(values.detach().numpy(), places, strict=True)
        found = torch.from_numpy(np.stack([np.partition(image, place, axis=1)[:, place] for image, place in images]))
    else:
        top = values.topk(int(rank.max()) + 1, dim=2).values
        found = top.gather(2, rank[:, None, None].expand(-1, values.shape[1], 1)).squeeze(2)
    return found.masked_fill(count[:, None] == 0, 0.0)


def stain_normalize(x: Tensor, reference: Tensor | None = None) -> Tensor:
    """Give every image the stains of a reference: (N, 3, H, W) in [0, 1] -> the same; draws nothing.

    Each image's own stains are measured by `macenko`, and their amounts shown in the colours and at the strength of
    ``reference``, one image (3, H, W), or the slide of Macenko's published code. Images without tissue stay as they
    are. ValueError for grey images. The counterpart of `stain_jitter`: it removes what that one varies, as far as a
    small patch lets it be measured. Source: Macenko et al. 2009. Chapter: data_augmentation.
    """
    target = REFERENCE if reference is None else macenko(reference[None])
    require_colour(x, "stain_normalize")
    density = _density(x)
    own = _find_stains(density)
    ratio = (target.strength.to(x) / own.strength)[:, :, None]
    exchange = target.colours.to(x) @ (-ratio * torch.linalg.pinv(own.colours))  # one 3 x 3 matrix an image
    white = torch.tensor(math.log(_WHITE)).to(x)
    normalized = torch.baddbmm(white, exchange, density).exp_().clamp(0, 1).view_as(x)
    normalized[~own.found] = x[~own.found]
    return normalized


def _density(x: Tensor) -> Tensor:
    """Macenko's optical density (N, 3, pixels): against the white of an empty slide, and finite at black."""
    return math.log(_WHITE) - (x + (1 / 255 - 1)).log1p_().flatten(2)  # log1p: the cheapest logarithm
