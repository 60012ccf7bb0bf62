"""The steps of other methods as DomainBed takes them, written by us: DomainBed is in no package index.

What a step computes and in which passes is that of the published algorithms in DomainBed (Gulrajani & Lopez-Paz 2021):
each domain through the network by itself for CORAL, MMD and group DRO, a copied network with an optimiser of its own
for each look-ahead of MLDG and for the walk of Fish, gradients of a factor by automatic differentiation for IRM, steps
that alternate between discriminator and network for DANN. Network, batches and optimiser are ours, so that nothing but
the step differs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.domains import Batch


def adamw(*modules: nn.Module) -> torch.optim.AdamW:
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)


class Published:
    """ERM; the base of the others. ``loss`` of a step, then one step of the optimiser."""

    def __init__(self, featurizer: nn.Module, classifier: nn.Linear, n_domains: int):
        self.featurizer, self.classifier, self.n_domains = featurizer, classifier, n_domains
        self.network = nn.Sequential(featurizer, classifier).train()
        self.optimizer = adamw(self.network)

    def loss(self, batches: Sequence[Batch]) -> Tensor:
        x, y = (torch.cat([batch[i] for batch in batches]) for i in (0, 1))
        return F.cross_entropy(self.network(x), y)

    def update(self, batches: Sequence[Batch]) -> float:
        loss = self.loss(batches)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def logits(self, batches: Sequence[Batch]) -> list[Tensor]:
        """Of one pass of all domains together, cut into domains."""
        return list(self.network(torch.cat([batch.x for batch in batches])).split([len(b.y) for b in batches]))


class CORAL(Published):
    def covariance(self, z: Tensor) -> Tensor:
        centred = z - z.mean(0)
        return centred.T @ centred / (len(z) - 1)

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        return (a.mean(0) - b.mean(0)).pow(2).mean() + (self.covariance(a) - self.covariance(b)).pow(2).mean()

    def loss(self, batches):
        features = [self.featurizer(batch.x) for batch in batches]
        losses = [F.cross_entropy(self.classifier(z), b.y) for z, b in zip(features, batches, strict=True)]
        distances = [self.distance(a, b) for a, b in combinations(features, 2)]
        return sum(losses) / len(losses) + sum(distances) / len(distances)


class MMD(CORAL):
    gammas = (0.001, 0.01, 0.1, 1, 10, 100, 1000)

    def kernel(self, a: Tensor, b: Tensor) -> Tensor:
        squared = (a.pow(2).sum(1)[:, None] + b.pow(2).sum(1) - 2 * a @ b.T).clamp_min(1e-30)
        return sum(torch.exp(-gamma * squared) for gamma in self.gammas).mean()

    def distance(self, a, b):
        return self.kernel(a, a) + self.kernel(b, b) - 2 * self.kernel(a, b)


class IRM(Published):
    def slope(self, logits: Tensor, y: Tensor, factor: Tensor) -> Tensor:
        return torch.autograd.grad(F.cross_entropy(logits * factor, y), factor, create_graph=True)[0]

    def loss(self, batches):
        losses, penalties = [], []
        for logits, batch in zip(self.logits(batches), batches, strict=True):
            factor = torch.ones((), requires_grad=True)
            halves = [self.slope(logits[k::2], batch.y[k::2], factor) for k in (0, 1)]
            losses.append(F.cross_entropy(logits, batch.y))
            penalties.append(halves[0] * halves[1])
        return (sum(losses) + 100 * sum(penalties)) / len(losses)


class VREx(Published):
    def loss(self, batches):
        risks = torch.stack([F.cross_entropy(z, b.y) for z, b in zip(self.logits(batches), batches, strict=True)])
        return risks.mean() + 10 * (risks - risks.mean()).pow(2).mean()


class GroupDRO(Published):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.weights = torch.ones(self.n_domains)

    def loss(self, batches):
        risks = torch.stack([F.cross_entropy(self.network(batch.x), batch.y) for batch in batches])
        self.weights = self.weights * (0.01 * risks.detach()).exp()
        self.weights = self.weights / self.weights.sum()
        return self.weights @ risks


class DANN(Published):
    """One step in two trains the discriminator and nothing else.

    The penalty on the discriminator's gradient is computed in every step, as published, also where it weighs nothing.
    """

    conditional = False

    def __init__(self, *arguments):
        super().__init__(*arguments)
        width = self.classifier.in_features
        self.discriminator = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, self.n_domains))
        self.classes = nn.Embedding(2, width)
        self.optimizers, self.step = (adamw(self.discriminator, self.classes), self.optimizer), 0

    def of_discriminator(self, seen: Tensor, y: Tensor, domain: Tensor) -> Tensor:
        logits = self.discriminator(seen)
        loss = F.cross_entropy(logits, domain)
        if self.conditional:  # every class weighs the same
            weights = 1 / (2 * F.one_hot(y).sum(0))[y]
            loss = (weights * F.cross_entropy(logits, domain, reduction="none")).sum()
        total = F.cross_entropy(logits, domain, reduction="sum")
        gradient = torch.autograd.grad(total, seen, create_graph=True)[0]
        return loss + 0.0 * gradient.pow(2).sum(1).mean()

    def update(self, batches):
        x, y = (torch.cat([batch[i] for batch in batches]) for i in (0, 1))
        domain = torch.cat([torch.full_like(batch.y, i) for i, batch in enumerate(batches)])
        z = self.featurizer(x)
        loss = self.of_discriminator(z + self.classes(y) if self.conditional else z, y, domain)
        turn, self.step = self.step % 2, self.step + 1
        if turn:
            loss = F.cross_entropy(self.classifier(z), y) - loss
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        self.optimizers[turn].step()
        return loss.item()


class CDANN(DANN):
    conditional = True


class MLDG(Published):
    """For each virtual training domain a copy of the network, a step of it, and the gradients before and after."""

    def update(self, batches):
        order = torch.randperm(len(batches)).tolist()
        total = [torch.zeros_like(parameter) for parameter in self.network.parameters()]
        for i in order[:-1]:
            inner = copy.deepcopy(self.network)
            optimizer = adamw(inner)
            F.cross_entropy(inner(batches[i].x), batches[i].y).backward()
            before = [parameter.grad for parameter in inner.parameters()]
            optimizer.step()
            loss = F.cross_entropy(inner(batches[order[-1]].x), batches[order[-1]].y)
            after = torch.autograd.grad(loss, list(inner.parameters()))
            for sum_, f, g in zip(total, before, after, strict=True):
                sum_.add_(f + g, alpha=1 / len(batches))
        for parameter, gradient in zip(self.network.parameters(), total, strict=True):
            parameter.grad = gradient
        self.optimizer.step()
        return loss.item()


class Fish(Published):
    """A copy of the network walks through the domains with an optimiser that is kept; a step towards its end."""

    state = None

    def update(self, batches):
        inner = copy.deepcopy(self.network)
        optimizer = adamw(inner)
        if self.state is not None:
            optimizer.load_state_dict(self.state)
        for batch in batches:
            loss = F.cross_entropy(inner(batch.x), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.state = optimizer.state_dict()
        start, end = self.network.state_dict(), inner.state_dict()
        self.network.load_state_dict({name: start[name] + 0.5 * (end[name] - start[name]) for name in start})
        return loss.item()
