"""Networks that have learned elsewhere, as the sweep trains them: frozen or fine-tuned. Chapter: pretraining.

A frozen network says the same of an image for ever, so its features are computed once and a run trains what stands on
them: a data set of features, and a featurizer that learns. Methods that act on images cannot act there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from medgen_utils.backbones import EfficientNetLite0
from medgen_utils.domains import DomainDataset
from medgen_utils.pretraining.features import dataset_features
from medgen_utils.pretraining.learners import fine_tuned
from medgen_utils.training import ERM

Normalize = Callable[[Tensor], Tensor]
LARGEST = 6.0  # of a feature of EfficientNet-Lite0: the mean of a ReLU6
PHOTOGRAPH = 0.45, 0.225  # mean and standard deviation of ImageNet's intensities


@dataclass(frozen=True)
class Elsewhere:
    """What stands in the place of the small CNN: ``name`` in the rows, the featurizer, what becomes of an algorithm.

    ``featurizer(width, normalize)`` makes a new one, with weights from torch's generator where they are not learned.
    """

    name: str
    featurizer: Callable[[int, Normalize | None], nn.Module]
    adapt: Callable[[type[ERM]], type[ERM]]


class OnFeatures(nn.Module):
    """What learns on frozen features: x (n, d, 1, 1) in [0, 1] -> (n, 4 * width), as many numbers as a `SmallCNN`'s.

    The features, each with mean 0 and variance 1 (batch normalization without weights), a linear layer, batch
    normalization, ReLU. A linear head alone would give methods that align features nothing to move.
    """

    def __init__(self, d: int, width: int):
        super().__init__()
        self.n_features = 4 * width
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.BatchNorm1d(d, affine=False),
            nn.Linear(d, self.n_features, bias=False),
            nn.BatchNorm1d(self.n_features),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Normalized(nn.Module):
    """A backbone behind a normalization: its result, shifted and scaled to mean and contrast of photographs."""

    def __init__(self, backbone: nn.Module, normalize: Normalize):
        super().__init__()
        self.backbone, self.normalize, self.n_features = backbone, normalize, backbone.n_features

    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = PHOTOGRAPH
        return self.backbone(mean + deviation * self.normalize(x))


def features_as_images(images: DomainDataset) -> DomainDataset:
    """The data set with the frozen ImageNet features of each image as 1,280 "channels" of one pixel, in [0, 1].

    Always the network's own, never the rounded ones of the release: rows must come out to the last digit.
    WeightsUnavailable without its weights.
    """
    with torch.random.fork_rng():  # a network draws weights before it loads others
        network = EfficientNetLite0()
    z = dataset_features(network, images)
    return replace(images, x=(z / LARGEST)[:, :, None, None])


def _on_features(width: int, normalize: Normalize | None) -> nn.Module:
    if normalize is not None:
        raise ValueError("a normalization acts on images, and these are features: leave this contender out")
    return OnFeatures(EfficientNetLite0.n_features, width)


def _lite0(width: int, normalize: Normalize | None) -> nn.Module:
    backbone = EfficientNetLite0()
    return Normalized(backbone, normalize) if normalize else backbone


def _as_it_is(algorithm: type[ERM]) -> type[ERM]:
    return algorithm


FROZEN = Elsewhere("EfficientNet-Lite0 (ImageNet), frozen", _on_features, _as_it_is)
FINE_TUNED = Elsewhere("EfficientNet-Lite0 (ImageNet), fine-tuned", _lite0, fine_tuned)
