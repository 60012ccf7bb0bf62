"""Three ways to use a network that has learned elsewhere: read it, bend it, or first read and then bend it.

All are `training.ERM` with another ``prepare``, so `training.fit` trains them on any featurizer. Chapter: pretraining.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from medgen_utils.training import ERM


class LinearProbe(ERM):
    """Only the linear head learns; the featurizer stays as it came, the statistics of its normalization too."""

    def prepare(self, learning_rate: float = 2e-3, weight_decay: float = 1e-3, total_steps: int = 0) -> None:
        self.featurizer.requires_grad_(False)
        super().prepare(learning_rate, weight_decay, total_steps)

    def train(self, mode: bool = True) -> LinearProbe:
        super().train(mode)
        self.featurizer.eval()
        return self


class FineTuning(ERM):
    """Head and featurizer learn, the featurizer ``backbone_rate`` times as fast: what was learned elsewhere is kept.

    backbone_rate >= 0; 1 is `training.ERM`, 0 moves the head alone (the statistics of batch normalization still
    follow the images, unlike in `LinearProbe`). ValueError below 0.
    """

    def __init__(self, featurizer: nn.Module, classifier: nn.Module, n_domains: int = 1, *, backbone_rate: float = 0.1):
        super().__init__(featurizer, classifier, n_domains)
        if backbone_rate < 0:
            raise ValueError(f"backbone_rate={backbone_rate}: choose 0 or more, 1 for plain training")
        self.backbone_rate = backbone_rate

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        return slow_and_fast(self, learning_rate, self.backbone_rate)


def slow_and_fast(model: ERM, learning_rate: float, backbone_rate: float) -> list[dict[str, Any]]:
    """Two groups for the optimiser: the featurizer, ``backbone_rate`` times as fast as all the rest."""
    learned = list(model.featurizer.parameters())
    known = {id(parameter) for parameter in learned}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    return [{"params": learned, "lr": learning_rate * backbone_rate}, {"params": others, "lr": learning_rate}]


def fine_tuned(algorithm: type[ERM], backbone_rate: float = 0.1) -> type[ERM]:
    """``algorithm`` as it is, with a featurizer that learns ``backbone_rate`` times as fast; of `ERM`: `FineTuning`."""

    def parameter_groups(self: ERM, learning_rate: float) -> list[dict[str, Any]]:
        return slow_and_fast(self, learning_rate, backbone_rate)

    return type(f"FineTuned{algorithm.__name__}", (algorithm,), {"parameter_groups": parameter_groups})


class ProbeThenFineTune(FineTuning):
    """The head alone for the share ``probe_share`` of the steps, then everything.

    A random head would first push good features away; one that has learned does not. ``probe_share`` in [0, 1]; outside
    `fit`, where the length is unknown, there is no first part. ValueError beyond. Source: Kumar et al. 2022 (LP-FT).
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        backbone_rate: float = 0.1,
        probe_share: float = 0.3,
    ):
        super().__init__(featurizer, classifier, n_domains, backbone_rate=backbone_rate)
        if not 0 <= probe_share <= 1:
            raise ValueError(f"probe_share={probe_share}: choose a share of the steps between 0 and 1")
        self.probe_share = probe_share

    @property
    def probing(self) -> bool:
        """Whether this step still trains the head alone."""
        return bool(self.total_steps) and self.progress < self.probe_share

    def features(self, x: Tensor) -> Tensor:
        if not (self.training and self.probing):
            return self.featurizer(x)
        self.featurizer.eval()
        with torch.no_grad():
            z = self.featurizer(x)
        self.featurizer.train()
        return z
