"""Algorithms that ask the domains to agree: each adds a penalty to the cross-entropy. Chapter: feature_alignment."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.domains import Batch, joined
from medgen_utils.feature_alignment.penalties import (
    Distance,
    class_conditional,
    coral,
    fishr_penalty,
    ganin_schedule,
    gradient_reversal,
    group_dro_weights,
    irm_penalty,
    mmd,
    vrex_penalty,
)
from medgen_utils.training import ERM


class AlignedERM(ERM):
    """Cross-entropy over all images plus something that asks the domains to agree: the base of the methods below.

    A subclass says in ``alignment`` what it adds. With ``weight`` 0 a step is exactly a step of `training.ERM`.
    ``warm_up``: the share of the training over which ``strength`` rises from 0 to ``weight`` (outside `fit`, where
    the length is unknown, it is ``weight`` at once). None takes the defaults that the subclass names.
    ``classifier`` must be a linear layer. Default weights: Gulrajani & Lopez-Paz 2021.
    """

    weight, warm_up = 1.0, 0.0

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        weight: float | None = None,
        warm_up: float | None = None,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.weight = self.weight if weight is None else weight
        self.warm_up = self.warm_up if warm_up is None else warm_up
        if self.weight < 0 or not 0 <= self.warm_up <= 1:
            raise ValueError(f"weight={weight}, warm_up={warm_up}: use a weight >= 0 and a share between 0 and 1")

    @property
    def strength(self) -> float:
        """The weight at this step of the training."""
        if not self.total_steps or not self.warm_up:
            return self.weight
        return self.weight * min(1.0, self.progress / self.warm_up)

    def alignment(self, z: Sequence[Tensor], logits: Sequence[Tensor], y: Sequence[Tensor]) -> Tensor:
        """What is added to the cross-entropy, a scalar; features, logits and labels have one entry a domain."""
        raise NotImplementedError(f"{type(self).__name__} must say what the domains should agree on")

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        sizes = [len(batch.y) for batch in batches]
        z = self.features(x)
        logits = self.classifier(z)
        loss = F.cross_entropy(logits, y)
        added = self.alignment(z.split(sizes), logits.split(sizes), y.split(sizes))
        return loss + added, {"loss": loss.item(), "added": added.item()}


class CORAL(AlignedERM):
    """Features with the same mean and covariance in every domain: mean of `coral` over pairs. Sun & Saenko 2016."""

    distance: Distance = staticmethod(coral)

    def between(self, z_a: Tensor, y_a: Tensor, z_b: Tensor, y_b: Tensor) -> Tensor:
        """Distance between two domains."""
        return self.distance(z_a, z_b)

    def alignment(self, z, logits, y):
        terms = [self.between(z[a], y[a], z[b], y[b]) for a, b in combinations(range(len(z)), 2)]
        return self.strength * torch.stack(terms).mean() if terms else z[0].new_zeros(())


class ConditionalCORAL(CORAL):
    """CORAL within each class (`class_conditional`): the repair where prevalence differs between domains."""

    def between(self, z_a: Tensor, y_a: Tensor, z_b: Tensor, y_b: Tensor) -> Tensor:
        return class_conditional(self.distance, z_a, y_a, z_b, y_b)


class MMD(CORAL):
    """Features with the same distribution in every domain: mean of `mmd` over pairs. Li et al. 2018 (MMD-AAE)."""

    distance: Distance = staticmethod(mmd)


class DANN(AlignedERM):
    """Features from which a second network, the discriminator, cannot tell the domain. Ganin et al. 2016.

    The reversed gradient has the weight ``weight`` times `ganin_schedule`. One optimiser and one step, so that the
    classifier learns at every step (versions that alternate spend half of the steps on the discriminator).
    """

    hidden = 64

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        weight: float | None = None,
        warm_up: float | None = None,
    ):
        super().__init__(featurizer, classifier, n_domains, weight=weight, warm_up=warm_up)
        first, last = nn.Linear(self.n_seen, self.hidden), nn.Linear(self.hidden, n_domains)
        self.discriminator = nn.Sequential(first, nn.ReLU(), last)

    @property
    def n_seen(self) -> int:
        """Numbers that the discriminator sees of an image."""
        return self.classifier.in_features

    @property
    def strength(self) -> float:
        return super().strength * (ganin_schedule(self.progress) if self.total_steps else 1.0)

    def alignment(self, z, logits, y):
        seen = gradient_reversal(torch.cat(z), self.strength)
        return F.cross_entropy(self.discriminator(seen), _domain_of(z))


class CDANN(DANN):
    """As DANN, but the discriminator is told the class, and classes count alike: it sees p(z | y). Li et al. 2018."""

    @property
    def n_seen(self) -> int:
        return self.classifier.in_features + self.classifier.out_features

    def alignment(self, z, logits, y):
        labels = torch.cat(y)
        one_hot = F.one_hot(labels, self.classifier.out_features)
        seen = torch.cat([gradient_reversal(torch.cat(z), self.strength), one_hot], dim=1)
        losses = F.cross_entropy(self.discriminator(seen), _domain_of(z), reduction="none")
        images = one_hot.sum(0)
        return (losses / images[labels]).sum() / (images > 0).sum()


def _domain_of(z: Sequence[Tensor]) -> Tensor:
    """Place of the domain of each row of ``torch.cat(z)``, (n,) int64."""
    return torch.cat([torch.full((len(part),), place, device=part.device) for place, part in enumerate(z)])


class IRM(AlignedERM):
    """A classifier that no domain would rescale: mean of `irm_penalty` over domains. Arjovsky et al. 2019."""

    weight, warm_up = 100.0, 0.25

    def alignment(self, z, logits, y):
        return self.strength * torch.stack([irm_penalty(s, t) for s, t in zip(logits, y, strict=True)]).mean()


class VREx(AlignedERM):
    """The same risk in every domain: `vrex_penalty`. Krueger et al. 2021."""

    weight, warm_up = 10.0, 0.25

    def alignment(self, z, logits, y):
        return self.strength * vrex_penalty(_risks(logits, y))


class Fishr(AlignedERM):
    """The same variance of the classifier's gradients in every domain: `fishr_penalty`. Rame et al. 2022.

    Of the batches of this step alone (the authors average the variances over past steps).
    """

    weight, warm_up = 1000.0, 0.25

    def alignment(self, z, logits, y):
        return self.strength * fishr_penalty(z, logits, y)


class GroupDRO(ERM):
    """A weighted mean of the domains' risks; the weights follow the highest risk. Sagawa et al. 2020.

    A domain is an entry of the list of batches: for other groups, as label x marker, train on the data set
    ``dataclasses.replace(dataset, domain=group, domain_names=...)``. ``step_size`` 0 keeps the weights equal.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        step_size: float = 0.01,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.step_size = step_size
        self.register_buffer("weights", torch.full((n_domains,), 1 / n_domains))

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        if len(batches) != self.n_domains:
            raise ValueError(f"{len(batches)} batches for n_domains={self.n_domains}: the weights need one batch each")
        y = [batch.y for batch in batches]
        logits = self.predict(joined(batches).x).split([len(labels) for labels in y])
        risks = _risks(logits, y)
        self.weights = group_dro_weights(self.weights, risks, self.step_size)
        loss = (self.weights * risks).sum()
        return loss, {"loss": risks.mean().item(), "largest_weight": self.weights.max().item()}


def _risks(logits: Sequence[Tensor], y: Sequence[Tensor]) -> Tensor:
    """Mean cross-entropy of each domain, (E,)."""
    return torch.stack([F.cross_entropy(s, t) for s, t in zip(logits, y, strict=True)])
