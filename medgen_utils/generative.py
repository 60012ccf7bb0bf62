"""Images that never were: a density for each class, and draws from it. Chapter: outlook.

The smallest generative model that deserves the name, to show what drawn images can and cannot add; it stands for the
idea, not for the networks that practice uses.
"""

from __future__ import annotations

import torch
from torch import Tensor


class ClassGaussians:
    """A Gaussian for each class, in the space of the leading principal components of that class.

    x (N, C, H, W) in [0, 1], y (N,) int64 from 0, two images of each class or more (ValueError otherwise).
    ``n_components``: how many directions vary, at most one less than images; what varies beyond them is lost.
    With all of them mean and covariance are those of the images: nothing else is known of a class. Chapter: outlook.
    """

    def __init__(self, x: Tensor, y: Tensor, n_components: int = 40) -> None:
        self.shape, self.parts = x.shape[1:], []
        for label in range(int(y.max()) + 1):
            images = x[y == label].flatten(1).double()
            if len(images) < 2 or n_components < 1:
                raise ValueError(f"{len(images)} images of class {label}, {n_components} components: too few")
            mean = images.mean(0)
            _, size, directions = torch.linalg.svd(images - mean, full_matrices=False)
            kept = min(n_components, len(images) - 1, len(size))
            deviation = size[:kept] / (len(images) - 1) ** 0.5
            self.parts.append((mean, deviation[:, None] * directions[:kept]))

    def moments(self, label: int) -> tuple[Tensor, Tensor]:
        """Mean (d,) and covariance (d, d) of the pixels of a class, d = C H W, before values are clipped to [0, 1]."""
        mean, scaled = self.parts[label]
        return mean, scaled.T @ scaled

    def draw(self, n_per_class: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """So many images of each class, class by class: x (k n, C, H, W) float32, clipped to [0, 1], and y (k n,)."""
        drawn = []
        for mean, scaled in self.parts:
            z = torch.randn(n_per_class, len(scaled), generator=generator, dtype=torch.float64)
            drawn.append((mean + z @ scaled).clamp(0, 1).float())
        y = torch.arange(len(self.parts)).repeat_interleave(n_per_class)
        return torch.cat(drawn).unflatten(1, self.shape), y
