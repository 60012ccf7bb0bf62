"""Rehearsal that one can draw: a logistic regression with two weights, on a contour and on a marker.

A hospital is a pair of x (n, 2), the contour's score and a marker of 1 or -1, and y (n,) in {0, 1}. The contour means
the same everywhere; how often the marker agrees with the label is the hospital's own. Chapter: meta_learning.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import optimize
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.evaluation import auroc
from medgen_utils.meta_learning.objectives import meta_gradient

Points = tuple[Tensor, Tensor]


def draw_hospital(agreement: float, seed: int, n: int = 400) -> Points:
    """x (n, 2) and y (n,), half of each class; the marker agrees with the label with chance ``agreement``.

    ValueError where that is no share from 0 to 1.
    """
    if not 0 <= agreement <= 1:
        raise ValueError(f"agreement={agreement}: give a share from 0 to 1")
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n).double() % 2
    sign = 2 * y - 1
    contour = sign + 1.2 * torch.randn(n, generator=generator).double()
    marker = torch.where(torch.rand(n, generator=generator) < agreement, sign, -sign)
    return torch.stack([contour, marker], 1), y


def risk(w: Tensor, hospital: Points) -> Tensor:
    """Mean cross-entropy; w (..., 2) -> (...)."""
    x, y = hospital
    logits = w @ x.T
    return (F.softplus(logits) - y * logits).mean(-1)


def gradient(w: Tensor, hospital: Points) -> Tensor:
    """Gradient of the risk; w (..., 2) -> (..., 2)."""
    x, y = hospital
    return ((w @ x.T).sigmoid() - y) @ x / len(y)


def rehearsed(
    w: Tensor, virtual_train: Points, virtual_test: Points, step: float, *, beta: float = 1.0, first_order: bool = False
) -> tuple[Tensor, Tensor]:
    """Value and gradient (2,) of MLDG at w (2,)."""
    value, gradients = meta_gradient(
        lambda params, hospital: risk(params["w"], hospital), {"w": w}, virtual_train, virtual_test,
        inner_learning_rate=step, beta=beta, first_order=first_order,
    )  # fmt: skip
    return value, gradients["w"]


def rehearsed_risk(w: Tensor, one: Points, other: Points, step: float) -> Tensor:
    """MLDG's objective, the mean over both ways to hold one out, / 2, so that step 0 gives the mean risk.

    w (..., 2) -> (...).
    """
    sides = [risk(w, f) + risk(w - step * gradient(w, f), g) for f, g in ((one, other), (other, one))]
    return sum(sides) / 4


def resting_point(one: Points, other: Points, step: float, first_order: bool = False) -> Tensor:
    """Where the gradient of `rehearsed_risk`, or its first-order version, vanishes -> w (2,); step 0 is plain training.

    ValueError where the search finds no such point: the step is too large.
    """

    def mean_gradient(w: np.ndarray) -> np.ndarray:
        sides = [
            rehearsed(torch.from_numpy(w), *pair, step, first_order=first_order)[1]
            for pair in ((one, other), (other, one))
        ]
        return sum(sides).numpy() / 4

    found = optimize.root(mean_gradient, np.ones(2))
    if not found.success:
        raise ValueError(f"step={step}: no resting point found ({found.message}): try a smaller step")
    return torch.from_numpy(found.x)


def auroc_at(w: Tensor, hospital: Points) -> float:
    """AUROC of the logistic regression with weights w (2,) at a hospital."""
    x, y = hospital
    return auroc(y.long().numpy(), (x @ w).numpy())
