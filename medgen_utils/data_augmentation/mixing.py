"""Augmentation that mixes images of several hospitals: amplitudes, pixels and labels, feature statistics.

Chapter: data_augmentation, under whose name the public functions are taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from scipy.special import betaincinv
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.backbones import SmallCNN
from medgen_utils.domains import Batch, joined
from medgen_utils.training import ERM


def fourier_amplitude_mix(x: Tensor, other: Tensor, lam: Tensor | float, window: float = 1.0) -> Tensor:
    """The shapes of ``x`` in the style of ``other``: amplitudes are mixed, the phase of x is kept.

    x, other (N, C, H, W) in [0, 1], lam (N,) or a number in [0, 1] -> (N, C, H, W), clamped to [0, 1]. The amplitude
    becomes (1 - lam) * |fft x| + lam * |fft other| at frequencies up to ``window`` times the highest one (1: all).
    The window is symmetric in frequency, so the result is real. A frequency that x lacks has no phase and stays empty.
    Sources: Xu et al. 2021 (FACT, all frequencies), Yang & Soatto 2020 (FDA, a window). Chapter: data_augmentation.
    """
    height, width = x.shape[-2:]
    spectrum = torch.fft.rfft2(x)
    own, foreign = spectrum.abs(), torch.fft.rfft2(other).abs()
    lam = torch.as_tensor(lam).to(x).reshape(-1, 1, 1, 1)
    if window < 1:
        high = torch.fft.fftfreq(height).abs()[:, None].maximum(torch.fft.rfftfreq(width))
        lam = lam * (high <= window / 2).to(x)
    own = own.clamp_min(1e-30)  # a quotient by less may overflow, and where x has nothing inf * 0 is no number
    factor = 1 + lam * (foreign / own - 1)
    return torch.fft.irfft2(spectrum * factor, s=(height, width)).clamp_(0, 1)


def amplitude_jitter(x: Tensor, generator: torch.Generator, strength: float = 1.0, window: float = 1.0) -> Tensor:
    """`fourier_amplitude_mix` of each image with a random one of the batch, lam from U(0, strength) for each image."""
    other = x[torch.randperm(len(x), generator=generator).to(x.device)]
    return fourier_amplitude_mix(x, other, strength * torch.rand(len(x), generator=generator), window)


def draw_beta(alpha: float, n: int, generator: torch.Generator) -> Tensor:
    """n draws (float32) of Beta(alpha, alpha), by inverting its distribution function: safe for any alpha > 0."""
    u = torch.rand(n, generator=generator, dtype=torch.float64)
    return torch.from_numpy(betaincinv(alpha, alpha, u.numpy())).float()


def partners(domain: Tensor, generator: torch.Generator, across: Literal["any", "within", "between"] = "any") -> Tensor:
    """For each image of a batch another one to mix with: domain (n,) -> index (n,), an image may be picked twice.

    ``across``: from any domain, within its own, or from another one. ValueError where there is no other domain.
    """
    same = (domain[:, None] == domain).cpu()
    allowed = {"any": torch.ones_like(same), "within": same, "between": ~same}[across]
    if not allowed.any(1).all():
        raise ValueError(f"all {len(domain)} images come from one domain: mixing between domains needs two")
    return torch.multinomial(allowed.float(), 1, generator=generator).squeeze(1).to(domain.device)


def mixup(values: Tensor, partner: Tensor, lam: Tensor) -> Tensor:
    """lam * values + (1 - lam) * values[partner], for images (n, C, H, W) or class probabilities (n, k) alike.

    partner (n,) positions, lam (n,) in [0, 1]; lam = 1 is the identity. Source: Zhang et al. 2018.
    Chapter: data_augmentation.
    """
    lam = lam.to(values).reshape(-1, *[1] * (values.ndim - 1))
    return torch.lerp(values[partner], values, lam)


def mix_style(x: Tensor, permutation: Tensor, lam: Tensor) -> Tensor:
    """Give each feature map the mean and spread between its own and another image's: x (n, C, H, W) -> the same shape.

    Per image and channel: (x - m) / s * (lam * s + (1 - lam) * s') + lam * m + (1 - lam) * m', with m', s' of
    x[permutation] and lam (n,); lam = 1 is the identity. Convention: s is the root of the unbiased variance + 1e-6, and
    no gradient flows through m and s. Source: Zhou et al. 2021. Chapter: data_augmentation.
    """
    mean = x.detach().mean((2, 3), keepdim=True)
    square = (x.detach() - mean).square().sum((2, 3), keepdim=True)
    deviation = (square / (x[0, 0].numel() - 1) + 1e-6).sqrt()
    lam = lam.to(x)[:, None, None, None]
    new_mean, new_deviation = (torch.lerp(old[permutation], old, lam) for old in (mean, deviation))
    return torch.addcmul(new_mean, x - mean, new_deviation / deviation)


class MixStyle(nn.Module):
    """`mix_style` as a layer, at training time only, in a share ``probability`` of the batches; lam from Beta(alpha).

    Draws from torch's global generator, which `training.fit` seeds: a layer cannot be handed one.
    """

    def __init__(self, probability: float = 0.5, alpha: float = 0.1):
        super().__init__()
        self.probability, self.alpha = probability, alpha

    def forward(self, x: Tensor) -> Tensor:
        generator = torch.default_generator
        if not self.training or float(torch.rand((), generator=generator)) >= self.probability:
            return x
        permutation = torch.randperm(len(x), generator=generator).to(x.device)
        return mix_style(x, permutation, draw_beta(self.alpha, len(x), generator))


class StyleMixing(ERM):
    """ERM with `MixStyle` behind the first two blocks of a `SmallCNN`; hospitals mix. Source: Zhou et al. 2021."""

    def __init__(
        self,
        featurizer: SmallCNN,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        probability: float = 0.5,
        alpha: float = 0.1,
    ):
        super().__init__(featurizer, classifier, n_domains)
        layers = []
        for layer in featurizer.layers:
            layers += [MixStyle(probability, alpha), layer] if isinstance(layer, nn.MaxPool2d) else [layer]
        featurizer.layers = nn.Sequential(*layers)


class Mixup(ERM):
    """ERM on mixed pairs of images and their mixed labels, lam from Beta(alpha, alpha). Source: Zhang et al. 2018.

    ``across`` as in `partners`: "between" mixes only images of different hospitals.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        alpha: float = 0.2,
        across: Literal["any", "within", "between"] = "any",
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.alpha, self.across = alpha, across

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, domain = joined(batches)
        partner = partners(domain, torch.default_generator, self.across)
        lam = draw_beta(self.alpha, len(x), torch.default_generator)
        logits = self.predict(mixup(x, partner, lam))
        target = mixup(F.one_hot(y, logits.shape[1]).to(logits), partner, lam)
        loss = F.cross_entropy(logits, target)
        return loss, {"loss": loss.item()}


class AmplitudeMix(ERM):
    """ERM on images whose amplitudes are mixed across the hospitals of a step: FACT (Xu et al. 2021), no teacher."""

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        strength: float = 1.0,
        window: float = 1.0,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.strength, self.window = strength, window

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        logits = self.predict(amplitude_jitter(x, torch.default_generator, self.strength, self.window))
        loss = F.cross_entropy(logits, y)
        return loss, {"loss": loss.item()}
