"""How far a look-ahead turns a step of training: cosines of gradients on the same images. Chapter: meta_learning."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.domains import Batch
from medgen_utils.meta_learning.algorithms import MLDG
from medgen_utils.training import ERM

LOOKED = "look-ahead, and none"
CHEAP = "first order, and exact"
APART = "no look-ahead, and ERM"
OTHER = "ERM, and ERM on other images"


def gradient_of(model: ERM, algorithm: type[ERM], batches: Sequence[Batch], **hyperparameters: Any) -> Tensor:
    """The gradient (weights,) that ``algorithm`` hands to its optimiser at the weights of ``model``, which stay."""
    parts = copy.deepcopy(model.featurizer), copy.deepcopy(model.classifier)
    other = algorithm(*parts, model.n_domains, **hyperparameters)
    other.prepare()
    other.train().update(batches)
    return torch.cat([parameter.grad.flatten() for parameter in other.parameters()])


def turning(model: ERM, draws: Sequence[Sequence[Batch]], inner_steps: Sequence[float]) -> pd.DataFrame:
    """Cosines between the directions of one training step at the weights of ``model``.

    draws: two or more times the batches of a step; each is one repeat, with a split into virtual hospitals of its own.
    -> a row a draw and pair: columns draw, pair, inner_step, cosine. Pairs: `LOOKED` and `CHEAP`, MLDG's exact gradient
    beside the one without a look-ahead and beside first order, for each inner step; and two yardsticks, for which
    inner_step is NaN: `APART`, what MLDG without a look-ahead has to do with ERM, and `OTHER`, plain training on this
    draw and on the next. ValueError for fewer than two draws.
    """
    if len(draws) < 2:
        raise ValueError(f"{len(draws)} draw of batches: give two or more, the yardstick compares them")
    plain = [gradient_of(model, ERM, batches) for batches in draws]
    rows = []
    for number, batches in enumerate(draws):
        still = gradient_of(model, MLDG, batches, inner_learning_rate=0.0, seed=number)
        rows += [[number, APART, float("nan"), _cosine(still, plain[number])]]
        rows += [[number, OTHER, float("nan"), _cosine(plain[number], plain[(number + 1) % len(plain)])]]
        for step in inner_steps:
            exact, cheap = (
                gradient_of(model, MLDG, batches, inner_learning_rate=step, first_order=cheaper, seed=number)
                for cheaper in (False, True)
            )
            rows += [[number, LOOKED, step, _cosine(exact, still)], [number, CHEAP, step, _cosine(cheap, exact)]]
    return pd.DataFrame(rows, columns=["draw", "pair", "inner_step", "cosine"])


def _cosine(a: Tensor, b: Tensor) -> float:
    return F.cosine_similarity(a, b, dim=0).item()
