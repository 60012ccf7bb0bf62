"""What rehearsal minimises: the look-ahead with its gradient, and MASF's judge of it. Chapter: meta_learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Params = dict[str, Tensor]
Loss = Callable[[Params, Any], Tensor]


def meta_gradient(
    loss: Loss,
    params: Params,
    train_batch: Any,
    test_batch: Any,
    *,
    inner_learning_rate: float,
    beta: float,
    first_order: bool,
    test_loss: Loss | None = None,
) -> tuple[Tensor, Params]:
    """Value and gradient of F(params) + beta * G(params - inner_learning_rate * grad F(params)).

    F is ``loss(params, train_batch)``; G is ``test_loss(params, test_batch)``, by default the same loss. ``params``
    maps names to tensors of any shape, both losses return a scalar, the batches are whatever these take.
    -> (value, gradients): a scalar, and a dict with the names and shapes of ``params``. Pure: nothing is changed.
    ``first_order`` takes the step for a constant, and so leaves out -beta * inner_learning_rate * Hessian(F) @ grad G:
    one backward pass each for F and G, and no second derivatives. Source: Li et al. 2018. Chapter: meta_learning.
    """
    test_loss = test_loss or loss
    here = leaves(params)
    value = loss(here, train_batch)
    gradients = gradients_of(value, here, create_graph=not first_order)
    if not first_order:
        ahead = {name: p - inner_learning_rate * gradients[name] for name, p in here.items()}
        value = value + beta * test_loss(ahead, test_batch)
        return value.detach(), gradients_of(value, here)
    # copies lie in memory as the weights do; a difference may lie otherwise, and its convolutions are slower
    ahead = leaves({name: p.detach().clone().sub_(inner_learning_rate * gradients[name]) for name, p in here.items()})
    test_value = test_loss(ahead, test_batch)
    test_gradients = gradients_of(test_value, ahead)
    total = {name: g + beta * test_gradients[name] for name, g in gradients.items()}
    return (value + beta * test_value).detach(), total


def leaves(params: Params) -> Params:
    """The same weights as the places at which a gradient is taken; what they were computed from is forgotten."""
    return {name: p.detach().requires_grad_() for name, p in params.items()}


def gradients_of(value: Tensor, params: Params, create_graph: bool = False) -> Params:
    """Gradient of a scalar for each of the ``params`` it was computed from; 0 for one that had no part in it.

    `torch.autograd.grad` and not `torch.func.grad`: the same numbers, in three quarters of the time.
    """
    found = torch.autograd.grad(value, list(params.values()), create_graph=create_graph, materialize_grads=True)
    return dict(zip(params, found, strict=True))


def global_class_alignment(logits_a: Tensor, y_a: Tensor, logits_b: Tensor, y_b: Tensor, temperature: float) -> Tensor:
    """Do two domains confuse the classes in the same way? 0 where they do.

    logits_a (n_a, k), y_a (n_a,), logits_b (n_b, k), y_b (n_b,), temperature > 0 -> scalar >= 0.
    For each class: the mean logits of its images in either domain, softened by softmax(mean / temperature), and half
    the sum of the two Kullback-Leibler divergences; then the mean over the classes present in both domains (0 where
    there is none: nothing to align). Source: Dou et al. 2019. Chapter: meta_learning.
    """
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: choose a number above 0 (Dou et al. use 2)")
    (log_p, n_p), (log_q, n_q) = (_soft_confusion(z, y, temperature) for z, y in ((logits_a, y_a), (logits_b, y_b)))
    divergence = 0.5 * ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(1)
    shared = (n_p > 0) & (n_q > 0)
    return (divergence * shared).sum() / shared.sum().clamp(min=1)


def _soft_confusion(logits: Tensor, y: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Log of the softened mean prediction for each true class (k, k), and the images of each class (k,)."""
    members = F.one_hot(y, logits.shape[1]).to(logits.dtype)
    counts = members.sum(0)
    means = members.T @ logits / counts.clamp(min=1)[:, None]
    return (means / temperature).log_softmax(1), counts
