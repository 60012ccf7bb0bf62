"""Hospitals train one network together and no image leaves its hospital: averaging of weights. Chapter: outlook.

It changes where images lie, not how the next hospital differs; and weights are no promise of privacy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medgen_utils.adaptation import BATCH_NORMS
from medgen_utils.domains import DomainDataset
from medgen_utils.training import ERM, Augmentation, draw_batches

Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
State = dict[str, Tensor]


@dataclass(frozen=True)
class Federation:
    """What `federate` returns: the model of each hospital by its name, and ``guest``, the mean of all their weights.

    With everything shared all of them are the same. With local normalization a member normalizes as its own images
    ask for; a hospital outside has no normalization of its own, so the guest takes the mean of the members'.
    """

    members: dict[str, ERM]
    guest: ERM


def weighted_mean(states: Sequence[State], sizes: Sequence[int]) -> State:
    """The mean of the tensors of several models, each weighted by its number of images; whole numbers from the first.

    States with the same names and shapes (KeyError otherwise). Source: McMahan et al. 2017. Chapter: outlook.
    """
    shares = torch.tensor(sizes) / sum(sizes)
    mean = {}
    for name, first in states[0].items():
        each = torch.stack([state[name] for state in states])
        mean[name] = torch.tensordot(shares.to(each), each, 1) if first.is_floating_point() else first.clone()
    return mean


def normalization_names(model: nn.Module) -> set[str]:
    """The names in ``model.state_dict()`` that belong to batch normalization: scales, shifts and statistics."""
    layers = [name for name, layer in model.named_modules() if isinstance(layer, BATCH_NORMS)]
    return {key for key in model.state_dict() if key.rpartition(".")[0] in layers}


def federate(
    model: ERM,
    train: DomainDataset,
    *,
    rounds: int,
    local_steps: int,
    local_normalization: bool = False,
    batch_size: int = 16,
    learning_rate: float = 2e-3,
    augment: Augmentation | None = None,
    seed: int = 0,
    optimizer: Optimizer | None = None,
) -> Federation:
    """Train a copy of ``model`` at each domain of ``train``; after every ``local_steps`` steps all take the mean.

    FedAvg, or with ``local_normalization`` FedBN: batch normalization stays at home and is never averaged. Each member
    draws class-balanced batches of its own images and keeps its own optimiser (`ERM.prepare`'s, or
    ``optimizer(parameters)``); only weights travel. The model that is given stays as it is.
    ValueError for fewer than two domains, and without rounds or steps.
    Sources: McMahan et al. 2017; Li et al. 2021 (FedBN). Chapter: outlook.
    """
    names = [train.domain_names[number] for number in train.domain.unique().tolist()]
    if len(names) < 2 or rounds < 1 or local_steps < 1:
        raise ValueError(f"{names}, rounds={rounds}, local_steps={local_steps}: two hospitals and one of each at least")
    members, batches, sizes = {}, {}, []
    for place, name in enumerate(names):
        member, own = copy.deepcopy(model).train(), train.only(name)
        member.prepare(learning_rate, total_steps=rounds * local_steps)
        if optimizer is not None:
            member.optimizer, member.schedule = optimizer(member.parameters()), None
        generator = torch.Generator().manual_seed(1000 * seed + place)
        members[name], sizes = member, [*sizes, len(own)]
        batches[name] = (generator, draw_batches(own, batch_size, True, generator))
    at_home = normalization_names(model) if local_normalization else set()
    for _ in range(rounds):
        for name, member in members.items():
            generator, drawn = batches[name]
            for _ in range(local_steps):
                batch = next(drawn)
                if augment is not None:
                    batch = [part._replace(x=augment(part.x, generator)) for part in batch]
                member.update(batch)
        shared = weighted_mean([member.state_dict() for member in members.values()], sizes)
        guest = shared
        shared = {key: value for key, value in shared.items() if key not in at_home}
        for member in members.values():
            member.load_state_dict(shared, strict=False)
    everyone = copy.deepcopy(model)
    everyone.load_state_dict(guest)
    return Federation({name: member.eval() for name, member in members.items()}, everyone.eval())
