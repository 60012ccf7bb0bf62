"""Images to augment: smooth random ones, and tissue in the colours of a slide."""

import torch
from torch.nn import functional as F

from medgen_utils.data_augmentation.stain import REFERENCE


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(channels=3, size=28, n=6, seed=0):
    """Smooth random images with a little noise, away from 0 and 1."""
    coarse = torch.rand(n, channels, 5, 5, generator=generator(seed))
    smooth = F.interpolate(coarse, (size, size), mode="bilinear")
    return 0.1 + 0.8 * smooth + 0.02 * torch.randn(n, channels, size, size, generator=generator(seed))


def tissue(n=4, size=32, seed=0):
    """Images in the colours of haematoxylin and eosin, in amounts that vary smoothly."""
    amounts = F.interpolate(1.5 * torch.rand(n, 2, 5, 5, generator=generator(seed)), (size, size), mode="bilinear")
    return torch.exp(-torch.einsum("rs,nshw->nrhw", REFERENCE.colours[0], amounts)) * 240 / 255
