"""Corruptions at 224 pixels beside medmnistc's: a batch of ours against one picture after another of theirs.

The blur has the width of medmnistc's (a kernel of 25 pixels, sigma 4.1), the pixels are as large as its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from medgen_utils.data_augmentation.intensity import gaussian_blur
from medgen_utils.shifts.corruptions import pixelate
from speed.pairs import Row, compare

PICTURES, PIXELS, KERNEL, SHARE = 16, 224, 25, 0.42


def rows(pairs: int) -> Iterator[Row]:
    from medmnistc.corruptions.compression import Pixelate
    from medmnistc.corruptions.filter import GaussianBlur

    generator = torch.Generator().manual_seed(0)
    x = torch.rand(PICTURES, 3, PIXELS, PIXELS, generator=generator)
    pictures = [Image.fromarray((image.permute(1, 2, 0) * 255).byte().numpy()) for image in x]
    sigma = torch.full((PICTURES,), 0.3 * ((KERNEL - 1) / 2 - 1) + 0.8)  # what torchvision takes for this kernel
    works = {
        "blur": (lambda: gaussian_blur(x, sigma), GaussianBlur([KERNEL])),
        "pixelate": (lambda: pixelate(x, 1 - SHARE, generator), Pixelate([SHARE])),
    }
    for name, (ours, peer) in works.items():
        theirs = lambda peer=peer: [np.asarray(peer.apply(picture, 0)) for picture in pictures]  # noqa: E731
        yield compare(f"{name}, {PICTURES} colour pictures of {PIXELS} px", "medmnistc", ours, theirs, pairs)
