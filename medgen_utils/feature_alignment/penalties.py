"""Three things that hospitals may be asked to agree on: features, risks, gradients. Chapter: feature_alignment.

Each penalty is a function of tensors that reads like its formula; each algorithm adds one of them to the
cross-entropy of `training.ERM`. The domains of a step are told apart by their place in the list of batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Distance = Callable[[Tensor, Tensor], Tensor]

# ------------------------------------------------------------------------------------------------------- features


def coral(z_a: Tensor, z_b: Tensor) -> Tensor:
    """Distance between the means and covariances of two sets of features.

    z_a (n_a, d), z_b (n_b, d) -> scalar >= 0; n_a, n_b >= 2 (ValueError below that: a covariance needs two points).
    Convention: mean of squared mean differences + mean of squared covariance differences, unbiased covariances
    (Sun & Saenko 2016 scale the covariance part by 1/4 and leave the means out). Chapter: feature_alignment.
    """
    for z in (z_a, z_b):
        if len(z) < 2:
            raise ValueError(f"features of {len(z)} image(s): a covariance needs two or more from each domain")
    mean_a, mean_b = z_a.mean(0), z_b.mean(0)
    covariance_a = (z_a - mean_a).T @ (z_a - mean_a) / (len(z_a) - 1)
    covariance_b = (z_b - mean_b).T @ (z_b - mean_b) / (len(z_b) - 1)
    return (mean_a - mean_b).square().mean() + (covariance_a - covariance_b).square().mean()


def mmd(z_a: Tensor, z_b: Tensor, gammas: Sequence[float] | None = None) -> Tensor:
    """Squared maximum mean discrepancy: how far two sets of features are apart in every moment at once.

    z_a (n_a, d), z_b (n_b, d) -> scalar >= 0. Convention: biased (the diagonals are kept), Gaussian kernels
    exp(-gamma * squared distance) summed over ``gammas``; None takes one, 1 / (median squared distance of all pairs),
    held constant in the gradient. Source: Gretton et al. 2012; Li et al. 2018. Chapter: feature_alignment.
    """
    z = torch.cat([z_a, z_b])
    with torch.autocast(z.device.type, enabled=False):  # in bfloat16 the distances would be noise
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        z = z - z.detach().mean(0)  # the distances stay, and the products below lose fewer digits
        norms = z.square().sum(1)
        squared = torch.addmm(norms + norms[:, None], z, z.T, alpha=-2)
        kernel = sum(torch.exp(-gamma * squared) for gamma in gammas or [1 / _median_of_pairs(squared)])
        share = torch.cat([z.new_full((len(z_a),), 1 / len(z_a)), z.new_full((len(z_b),), -1 / len(z_b))])
        return share @ kernel @ share


def _median_of_pairs(squared: Tensor) -> float:
    """Median of the numbers above the diagonal, at least 1e-12; NumPy finds it in a third of torch's time."""
    pairs = torch.triu_indices(*squared.shape, offset=1, device=squared.device)
    values = squared.detach()[*pairs].cpu().numpy()
    middle = (len(values) - 1) // 2
    return max(float(np.partition(values, middle)[middle]), 1e-12)


def class_conditional(distance: Distance, z_a: Tensor, y_a: Tensor, z_b: Tensor, y_b: Tensor) -> Tensor:
    """Mean over classes of the distance between the features of that class: aligns p(z | y) instead of p(z).

    z (n, d), y (n,) of two domains -> scalar. Only classes with two or more images in both domains count; 0 where
    there are none. Unlike a plain distance it is content with domains of different prevalence.
    Source: the idea of Li et al. 2018 (CDANN), for any distance. Chapter: feature_alignment.
    """
    terms = []
    for k in torch.cat([y_a, y_b]).unique().tolist():
        inside_a, inside_b = z_a[y_a == k], z_b[y_b == k]
        if min(len(inside_a), len(inside_b)) >= 2:
            terms.append(distance(inside_a, inside_b))
    return torch.stack(terms).mean() if terms else z_a.new_zeros(())


class _GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return z.view_as(z)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradient, None


def gradient_reversal(z: Tensor, weight: float) -> Tensor:
    """Returns z as it is; on the way back the gradient is multiplied by -weight.

    What comes after learns to tell domains apart, what comes before learns to make that impossible, in one step of
    one optimiser. Source: Ganin & Lempitsky 2015. Chapter: feature_alignment.
    """
    return _GradientReversal.apply(z, weight)


def ganin_schedule(progress: float) -> float:
    """Weight of the reversed gradient, from 0 at the start to nearly 1: 2 / (1 + exp(-10 progress)) - 1.

    ``progress`` is the share of the training done, in [0, 1]. Source: Ganin et al. 2016. Chapter: feature_alignment.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


# ---------------------------------------------------------------------------------------------------------- risks


def vrex_penalty(risks: Tensor) -> Tensor:
    """Variance of the risks of the domains, (E,) -> scalar >= 0; population variance (divided by E).

    Source: Krueger et al. 2021. Chapter: feature_alignment.
    """
    return (risks - risks.mean()).square().mean()


def group_dro_weights(weights: Tensor, risks: Tensor, step_size: float) -> Tensor:
    """New weights of the domains, (E,), summing to 1: weights * exp(step_size * risks), normalised.

    They are updated before use and carry no gradient; a domain with a high risk gains weight.
    Source: Sagawa et al. 2020, without their adjustment for group sizes. Chapter: feature_alignment.
    """
    return torch.softmax(weights.detach().log() + step_size * risks.detach(), dim=0)


def irm_penalty(logits: Tensor, y: Tensor) -> Tensor:
    """How much this domain would gain from rescaling the logits: unbiased estimate of a squared slope.

    logits (n, k), y (n,) of ONE domain, n >= 2 (ValueError below that) -> scalar, which may be negative.
    Convention: IRMv1; the product of the gradients of the even and of the odd rows' cross-entropy with respect to a
    factor on the logits, at 1. Closed form: d/dw CE(w * logits) = mean over images of sum_k p_k logit_k - logit_y.
    Source: Arjovsky et al. 2019. Chapter: feature_alignment.
    """
    if len(logits) < 2:
        raise ValueError(f"logits of {len(logits)} image(s): the two half-batches need one image each")
    slopes = (logits.softmax(1) * logits).sum(1) - logits.gather(1, y[:, None]).squeeze(1)
    return slopes[0::2].mean() * slopes[1::2].mean()


# ------------------------------------------------------------------------------------------------------ gradients


def fishr_penalty(features: Sequence[Tensor], logits: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
    """How much the domains differ in the variance of the gradients of a linear classifier with bias.

    One entry a domain: features (n, d), logits (n, k), labels (n,) -> scalar >= 0.
    The gradient of one image's cross-entropy is (p - onehot(y)) times its features, and times 1 for the bias.
    Convention: population variance v_e over the images of domain e, then the mean over domains and parameters of
    (v_e - mean of v)^2; no moving average inside. Source: Rame et al. 2022. Chapter: feature_alignment.
    """
    variances = []
    for z, scores, y in zip(features, logits, labels, strict=True):
        error = scores.softmax(1) - F.one_hot(y, scores.shape[1])
        with_bias = torch.cat([z, torch.ones_like(z[:, :1])], dim=1)
        gradients = error[:, :, None] * with_bias[:, None, :]
        variances.append((gradients - gradients.mean(0)).square().mean(0))
    stacked = torch.stack(variances)
    return (stacked - stacked.mean(0)).square().mean()
