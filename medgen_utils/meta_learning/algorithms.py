"""Training that rehearses the unseen hospital: MLDG, MASF and Fish. Chapter: meta_learning.

All three ask where a short look-ahead step, made with some of the training domains, leads for the others. What they
find is a gradient; it is handed to the same AdamW, under the same schedule, as `training.ERM` uses. The learning rate
of the look-ahead, ``inner_learning_rate``, says how far to look and not how fast to learn, so no schedule changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from medgen_utils.domains import Batch, joined
from medgen_utils.meta_learning.objectives import Params, global_class_alignment, meta_gradient
from medgen_utils.training import ERM, RecentImages


class _LookAhead(ERM):
    """What MLDG, MASF and Fish share: how far they look, the draw of domains, and whose statistics are kept.

    A look-ahead leaves nothing behind in batch normalization. Its running statistics are measured under the weights
    that are kept, on `training.RecentImages`, when the network is put in evaluation mode or stored: 20 passes without
    gradient.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        inner_learning_rate: float = 0.05,
        seed: int = 0,
    ):
        super().__init__(featurizer, classifier, n_domains)
        if inner_learning_rate < 0:
            raise ValueError(f"inner_learning_rate={inner_learning_rate}: choose 0 or more")
        self.inner_learning_rate, self.seed = inner_learning_rate, seed
        self.recent_images = RecentImages()
        self.register_state_dict_pre_hook(self.recent_images.measure)

    def train(self, mode: bool = True) -> _LookAhead:
        if not mode:
            self.recent_images.measure(self)
        return super().train(mode)

    def order_of_domains(self, n_domains: int) -> list[int]:
        """The domains in a random order that depends on the seed and the step alone: a resumed run draws the same."""
        return np.random.default_rng((self.seed, int(self.step_count))).permutation(n_domains).tolist()


class MLDG(_LookAhead):
    """Meta-learning for domain generalization: rehearse the unseen hospital in every step.

    Each step draws ``n_virtual_test`` of the training domains as virtual test domains G (fewer where that would leave
    no virtual training domain F; at least one of each) and follows `meta_gradient` of the mean cross-entropy. With
    beta=0 it is ERM's step on F. ``update`` raises ValueError with one domain. The defaults, first order and beta 1,
    are those of DomainBed. Source: Li et al. 2018. Chapter: meta_learning.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 2,
        *,
        inner_learning_rate: float = 0.05,
        beta: float = 1.0,
        first_order: bool = True,
        n_virtual_test: int = 1,
        seed: int = 0,
    ):
        super().__init__(featurizer, classifier, n_domains, inner_learning_rate=inner_learning_rate, seed=seed)
        if beta < 0 or n_virtual_test < 1:
            raise ValueError(f"beta={beta}, n_virtual_test={n_virtual_test}: choose beta >= 0 and at least one domain")
        self.beta, self.first_order, self.n_virtual_test = beta, first_order, n_virtual_test

    def virtual_domains(self, n_domains: int) -> tuple[list[int], list[int]]:
        """Positions of this step's virtual training and virtual test domains; at least one of each."""
        if n_domains < 2:
            raise ValueError(f"{n_domains} training domain: rehearsal holds one out, so train on two or more")
        order = self.order_of_domains(n_domains)
        n_train = max(1, n_domains - self.n_virtual_test)
        return sorted(order[:n_train]), sorted(order[n_train:])

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One step of the outer optimiser; logs F + beta * G as the loss."""
        train, test = ([batches[i] for i in side] for side in self.virtual_domains(len(batches)))
        params, predict = self._network()
        value, gradients = meta_gradient(
            lambda params, train: F.cross_entropy(predict(params, train.x), train.y),
            params, joined(train), test,
            test_loss=lambda params, test: self.test_loss(lambda x: predict(params, x), train, test),
            inner_learning_rate=self.inner_learning_rate, beta=self.beta, first_order=self.first_order,
        )  # fmt: skip
        self.zero_grad()
        for name, parameter in nn.Sequential(self.featurizer, self.classifier).named_parameters():
            parameter.grad = gradients[name]
        self.take_step()
        self.recent_images.add(self, batches)
        return {"loss": value.item()}

    def test_loss(self, predict: Callable[[Tensor], Tensor], train: Sequence[Batch], test: Sequence[Batch]) -> Tensor:
        """G: what the looked-ahead network, images -> logits, should be good at. Here: the mean cross-entropy."""
        x, y, _ = joined(test)
        return F.cross_entropy(predict(x), y)

    def _network(self) -> tuple[Params, Callable[[Params, Tensor], Tensor]]:
        """The weights, cut off from autograd, and the network as a pure function of weights and images -> logits."""
        network = nn.Sequential(self.featurizer, self.classifier)

        def predict(params: Params, x: Tensor) -> Tensor:
            buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}  # batch norm writes on them
            return functional_call(network, (params, buffers), x)

        return {name: p.detach() for name, p in network.named_parameters()}, predict


class MASF(MLDG):
    """MLDG whose look-ahead is judged by `global_class_alignment` of virtual training and virtual test domains.

    ``beta`` weighs the alignment (mean over the pairs), and the virtual test domains enter through it alone. The
    source's local loss, a triplet loss on a separate metric network, is left out. Source: Dou et al. 2019.
    Chapter: meta_learning.
    """

    temperature = 2.0

    def test_loss(self, predict: Callable[[Tensor], Tensor], train: Sequence[Batch], test: Sequence[Batch]) -> Tensor:
        batches = [*train, *test]
        parts = predict(joined(batches).x).split([len(batch.y) for batch in batches])
        pairs = [(i, j) for i in range(len(train)) for j in range(len(train), len(batches))]
        distances = [
            global_class_alignment(parts[i], batches[i].y, parts[j], batches[j].y, self.temperature) for i, j in pairs
        ]
        return torch.stack(distances).mean()


class Fish(_LookAhead):
    """Gradient matching at the price of plain training: walk through the domains, then step towards where that led.

    Each step walks from the weights w through the domains in random order, one gradient step of ``inner_learning_rate``
    each, to w~. The mean gradient met on the way, (w - w~) / (inner_learning_rate * domains), goes to the optimiser:
    SGD with learning rate step * inner_learning_rate * domains makes of it the source's w + step * (w~ - w), AdamW a
    step in the same direction at the pace of its schedule, which ERM shares. To first order in the inner learning rate
    it rewards domains whose gradients agree. With one domain it is ERM, with two half of first-order MLDG's gradient.
    The walk is taken back, with what batch normalization remembers of it.
    Source: Shi et al. 2022. Chapter: meta_learning.
    """

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One walk and one step of the outer optimiser; logs the mean loss on the way."""
        network, mean_value = nn.Sequential(self.featurizer, self.classifier), 0.0
        length = self.inner_learning_rate * len(batches)
        kept = [(tensor, tensor.detach().clone()) for tensor in [*network.parameters(), *network.buffers()]]
        self.zero_grad()
        try:
            for i in self.order_of_domains(len(batches)):
                value = F.cross_entropy(network(batches[i].x), batches[i].y) / len(batches)
                value.backward()  # the gradients add up to their mean
                with torch.no_grad():
                    for weight, start in kept:  # in place: a new tensor may lie otherwise in memory, which is slower
                        if weight.grad is not None:
                            torch.sub(start, weight.grad, alpha=length, out=weight)
                mean_value += value.item()
        finally:  # also where somebody interrupts the walk
            with torch.no_grad():
                for tensor, start in kept:
                    tensor.copy_(start)
        self.take_step()
        self.recent_images.add(self, batches)
        return {"loss": mean_value}
