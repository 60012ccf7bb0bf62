"""Learning from images without labels: contrastive, pretext and masked tasks. Chapter: self_supervision.

The tasks are functions of tensors (in `pretext`, and names of this module too). The algorithms put one of them in the
place of the cross-entropy (`SimCLR`, `BYOL`, `RotNet`, `MAE`: pre-training, which never looks at labels) or beside it
(`JiGen`), so `training.fit` trains them all. What a contrastive method should ignore is an augmentation handed to it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.backbones import SmallCNN
from medgen_utils.domains import Batch, DomainDataset, joined
from medgen_utils.self_supervision.pretext import (
    byol_loss,
    jigsaw_batch,
    jigsaw_permutations,
    masked_reconstruction_loss,
    nt_xent,
    random_crop,
    random_masking,
    rotate_batch,
    update_momentum,
)  # fmt: skip
from medgen_utils.training import ERM, Augmentation


class SimCLR(ERM):
    """Pre-training with `nt_xent` on two views of each image, ``augment(x, generator)`` drawn twice. Chen et al. 2020.

    The task is solved behind a projector (d -> d -> ``n_projected``), which is thrown away: `features` are what counts.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        augment: Augmentation = random_crop,
        temperature: float = 0.5,
        n_projected: int = 64,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.augment, self.temperature = augment, temperature
        self.projector = _two_layers(classifier.in_features, n_projected)

    def views(self, batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
        """Two independent augmentations of the images of all domains; draws from torch's global generator."""
        x = joined(batches).x
        return self.augment(x, torch.default_generator), self.augment(x, torch.default_generator)

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        z_a, z_b = self.projector(self.features(torch.cat(self.views(batches)))).chunk(2)
        loss = nt_xent(z_a, z_b, self.temperature)
        return loss, {"loss": loss.item()}


class BYOL(SimCLR):
    """Pre-training without negatives: predict what a slowly moving copy makes of the other view. Grill et al. 2020.

    The copy's momentum rises from ``momentum`` to 1 along a half cosine; the paper's 0.996 is for very long runs.
    """

    momentum = 0.98

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        augment: Augmentation = random_crop,
        n_projected: int = 64,
    ):
        super().__init__(featurizer, classifier, n_domains, augment=augment, n_projected=n_projected)
        self.predictor = _two_layers(n_projected, n_projected)
        self.target = copy.deepcopy(nn.Sequential(self.featurizer, self.projector)).requires_grad_(False)

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        view_a, view_b = self.views(batches)
        prediction = self.predictor(self.projector(self.features(torch.cat([view_a, view_b]))))
        loss = byol_loss(prediction, self.target(torch.cat([view_b, view_a])))
        return loss, {"loss": loss.item()}

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        log = super().update(batches)
        momentum = 1 - (1 - self.momentum) * (math.cos(math.pi * self.progress) + 1) / 2
        update_momentum(self.target, nn.Sequential(self.featurizer, self.projector), momentum)
        return log


class RotNet(ERM):
    """Pre-training by naming the quarter turn: `rotate_batch`, four copies an image and step. Gidaris et al. 2018."""

    def __init__(self, featurizer: nn.Module, classifier: nn.Linear, n_domains: int = 1):
        super().__init__(featurizer, classifier, n_domains)
        self.turn_head = nn.Linear(classifier.in_features, 4)

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, turns = rotate_batch(joined(batches).x)
        loss = F.cross_entropy(self.turn_head(self.features(x)), turns)
        return loss, {"loss": loss.item()}


class JiGen(ERM):
    """Cross-entropy of the whole images of a step plus ``weight`` times that of naming the order of tiles of all.

    The share ``shuffled`` of the images, drawn anew at each step, is cut into ``tiles`` x ``tiles`` pieces in one of
    ``n_orders`` orders (the first is the whole image) and takes no part in the first term: a joint objective for
    domain generalization, with as many images a step as ERM. Source: Carlucci et al. 2019.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        weight: float = 0.7,
        shuffled: float = 0.4,
        tiles: int = 2,
        n_orders: int = 24,
    ):
        super().__init__(featurizer, classifier, n_domains)
        if not 0 <= shuffled < 1:
            raise ValueError(f"shuffled={shuffled}: choose a share from 0 to below 1, or no image keeps its label")
        self.weight, self.shuffled = weight, shuffled
        self.register_buffer("orders", jigsaw_permutations(tiles, n_orders))
        self.order_head = nn.Linear(classifier.in_features, n_orders)

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        first_whole = int(self.shuffled * len(x))
        mixing = torch.randperm(len(x)).to(x.device)
        x, y = x[mixing], y[mixing]
        pieces, order = jigsaw_batch(x[:first_whole], self.orders[1:], torch.default_generator)
        order = torch.cat([order + 1, order.new_zeros(len(x) - first_whole)])
        z = self.features(torch.cat([pieces, x[first_whole:]]))
        loss = F.cross_entropy(self.classifier(z[first_whole:]), y[first_whole:])
        puzzle = F.cross_entropy(self.order_head(z), order)
        return loss + self.weight * puzzle, {"loss": loss.item(), "puzzle": puzzle.item()}


class MAE(ERM):
    """Pre-training by painting hidden patches of 4 x 4 px, from the feature map of a `SmallCNN`. After He et al. 2022.

    A convolution cannot skip hidden patches as the paper's transformer does: it sees them as mid-grey.
    """

    def __init__(
        self,
        featurizer: SmallCNN,
        classifier: nn.Linear,
        n_domains: int = 1,
        *,
        share: float = 0.6,
        standardize: bool = False,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.share, self.standardize = share, standardize
        d, channels = featurizer.n_features, featurizer.layers[0].in_channels
        self.decoder = nn.Sequential(nn.Conv2d(d, 16 * channels, 1), nn.PixelShuffle(4))

    def reconstruct(self, x: Tensor) -> Tensor:
        """Images with hidden patches (n, C, H, H), H a multiple of 4 -> the network's guess of the whole ones."""
        x = 2 * x - 1 if self.featurizer.normalize is None else self.featurizer.normalize(x)
        return self.decoder(self.featurizer.layers(x))

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x = joined(batches).x
        hidden, mask = random_masking(x, self.share, torch.default_generator)
        loss = masked_reconstruction_loss(self.reconstruct(hidden), x, mask, self.standardize)
        return loss, {"loss": loss.item()}


def _two_layers(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, n_in), nn.BatchNorm1d(n_in), nn.ReLU(inplace=True), nn.Linear(n_in, n_out))


def unlabelled(dataset: DomainDataset) -> DomainDataset:
    """The same images with every recorded label set to 0: what pre-training may see, and all it may see."""
    return replace(dataset, y=torch.zeros_like(dataset.y))
