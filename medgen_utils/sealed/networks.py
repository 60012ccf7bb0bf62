"""The trained networks of the game: small, with the package, and the same for the page.

Weights lie in a row of numbers, rounded to 16 bits, in the order of explorer/pages/live/network.js: for each layer the
convolution in blocks of eight outputs (block, row, column, input, output), scale and shift of the normalization, mean
and variance that it remembers; then the two rows of the head and its biases.
"""

from __future__ import annotations

import base64
import functools
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medgen_utils.backbones import SmallCNN

FILE = Path(__file__).parent / "networks.json"
WIDTH = 8
KINDS = ("erm", "augmentation", "cover", "sizes")
CONDITIONS = ("plain", "shortcut", "graders")
COVER = 0.66  # grey of what hides the corner in which the marker sits


def pieces(featurizer: SmallCNN, head: nn.Linear) -> list[Tensor]:
    """Views of all numbers of a network, in the order of the file; convolutions as blocks."""
    found: list[Tensor] = []
    for layer in featurizer.layers:
        if isinstance(layer, nn.Conv2d):
            found.append(layer.weight.data.unflatten(0, (-1, 8)).permute(0, 3, 4, 2, 1))
        elif isinstance(layer, nn.BatchNorm2d):
            found += [layer.weight.data, layer.bias.data, layer.running_mean, layer.running_var]
    return [*found, head.weight.data, head.bias.data]


def pack(featurizer: SmallCNN, head: nn.Linear) -> str:
    """The numbers of a network as base64 of 16-bit floats, little-endian."""
    numbers = torch.cat([piece.flatten() for piece in pieces(featurizer, head)])
    return base64.b64encode(numbers.numpy().astype("<f2").tobytes()).decode()


def unpack(text: str) -> nn.Sequential:
    """The inverse of `pack`: images (n, 1, 28, 28) -> logits (n, 2), in evaluation mode."""
    numbers = torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32))
    featurizer = SmallCNN(1, WIDTH)
    head = nn.Linear(featurizer.n_features, 2)
    at = 0
    for piece in pieces(featurizer, head):
        piece.copy_(numbers[at : at + piece.numel()].view(piece.shape))
        at += piece.numel()
    return nn.Sequential(featurizer, head).eval()


@functools.cache
def network(kind: str, condition: str) -> nn.Sequential:
    """The network of a `KINDS` trained under a `CONDITIONS`. KeyError for another name."""
    return unpack(json.loads(FILE.read_text("utf-8"))["networks"][f"{kind} {condition}"])


def covered(x: Tensor) -> Tensor:
    """Images (n, 1, 28, 28) with the corner hidden in which the marker may sit."""
    x = x.clone()
    x[:, :, 2:5, 2:5] = COVER
    return x


@torch.no_grad()
def scores(kind: str, condition: str, x: Tensor) -> np.ndarray:
    """Logit of malignant less that of benign, (n,) float64; the network "cover" sees covered images."""
    logits = network(kind, condition)(covered(x) if kind == "cover" else x)
    return (logits[:, 1] - logits[:, 0]).double().numpy()
