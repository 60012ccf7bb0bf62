"""The networks that turn images into features of any algorithm. Chapter: generalization_gap."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


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
