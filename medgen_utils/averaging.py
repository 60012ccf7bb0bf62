"""One model of many: the mean of the weights along one training. Chapter: all remedies.

It asks nothing of the domains, and is what a remedy should be compared with before it is believed. The mean of the
predictions of several trainings is made from the stored predictions (`benchmark.packing`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from medgen_utils.domains import Batch
from medgen_utils.training import ERM, RecentImages


class WeightAveraged(ERM):
    """ERM whose last step puts the mean of the weights of every step after ``start`` in the place of the weights.

    ``start`` is the share of the training before the averaging begins, in [0, 1) (ValueError otherwise). Mean weights
    give other features, so the statistics of batch normalization are measured again, on images of the last 20 steps.
    Until the last step, and where the length of the training is unknown, it is ERM exactly. Source: Izmailov et al.
    2018; every step instead of every epoch as in SWAD (Cha et al. 2021), which also lets the validation loss say where
    the averaging begins and ends. Chapter: all remedies.
    """

    def __init__(self, featurizer: nn.Module, classifier: nn.Module, n_domains: int = 1, *, start: float = 0.5):
        super().__init__(featurizer, classifier, n_domains)
        if not 0 <= start < 1:
            raise ValueError(f"start={start}: choose a share of the training from 0 to below 1")
        self.start = start

    def prepare(self, learning_rate: float = 2e-3, weight_decay: float = 1e-3, total_steps: int = 0) -> None:
        super().prepare(learning_rate, weight_decay, total_steps)
        self.first_step = int(self.step_count)  # progress counts earlier trainings too, the average does not
        self.n_averaged, self.mean_weights = 0, []
        self.recent_images = RecentImages()

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        log = super().update(batches)
        if not self.total_steps:
            return log
        step = int(self.step_count)
        self.recent_images.add(self, batches)
        if step - self.first_step > self.start * (self.total_steps - self.first_step):
            self.n_averaged += 1
            self.mean_weights = mean_of_weights(self.mean_weights, list(self.parameters()), self.n_averaged)
        if step == self.total_steps:
            self.take_average()
        return log

    @torch.no_grad()
    def take_average(self) -> None:
        """The mean of the weights so far becomes the weights; batch normalization is measured on the recent images."""
        for weights, mean in zip(self.parameters(), self.mean_weights, strict=True):
            weights.copy_(mean)
        self.recent_images.measure(self)
        self.mean_weights = []


@torch.no_grad()
def mean_of_weights(mean: Sequence[Tensor], weights: Sequence[Tensor], n: int) -> list[Tensor]:
    """Mean of n sets of weights, from the mean of the first n - 1 (ignored for n = 1) and the n-th set."""
    if n == 1:
        return [tensor.detach().clone() for tensor in weights]
    return [torch.lerp(old, new.detach(), 1 / n) for old, new in zip(mean, weights, strict=True)]
