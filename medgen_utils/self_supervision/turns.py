"""Can the turn of an image be named, and what gives it away? Chapter: self_supervision.

Each function takes one suspect away and leaves the rest; `registered` takes away the one that was found in the book's
mitoses: the colour channels of a scanner do not lie exactly over one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from medgen_utils.domains import DomainDataset, split
from medgen_utils.machine import map_runs
from medgen_utils.self_supervision.algorithms import RotNet, unlabelled
from medgen_utils.self_supervision.pretext import rotate_batch
from medgen_utils.training import build, extract_features, fit

EVERYWHERE = "all domains"
GREEN = 1  # the channel that the others are compared with
ENOUGH = 400  # images of a domain to measure a displacement of its channels on


def turns_named(
    images: Mapping[str, DomainDataset],
    *,
    seeds: Sequence[int] = (0,),
    steps: int = 500,
    width: int = 16,
    learning_rate: float = 1e-2,
) -> pd.DataFrame:
    """The share of quarter turns that a `RotNet` names on new patients: columns images, domain, seed, value.

    Of each data set, of all its domains, 70 % of the patients train and the others are the test; a row a domain, and
    one for `EVERYWHERE`. Chance is one quarter.
    """

    def one(name: str, seed: int) -> pd.DataFrame:
        train, _, test = split(images[name], seed, (0.7, 0.0, 0.3))
        model = build(RotNet, train, seed=seed, width=width)
        settings = {"steps": steps, "batch_size": 12, "balanced": False, "learning_rate": learning_rate}
        fit(model, unlabelled(train), seed=seed, **settings)  # 12 images in four turns: 48 a step
        copies, turns = rotate_batch(test.x)
        right = model.turn_head(extract_features(model, copies)).argmax(1) == turns
        domain = test.domain.repeat(4)
        rows = [[EVERYWHERE, right.float().mean().item()]]
        rows += [[test.domain_names[k], right[domain == k].float().mean().item()] for k in domain.unique().tolist()]
        return pd.DataFrame(rows, columns=["domain", "value"]).assign(images=name, seed=seed)

    found = map_runs(one, [(name, seed) for name in images for seed in seeds])
    return pd.concat(found, ignore_index=True)[["images", "domain", "seed", "value"]]


def centre(dataset: DomainDataset, size: int) -> DomainDataset:
    """The middle ``size`` pixels as they are: nothing is resized. ValueError where the images are smaller."""
    side = dataset.x.shape[-1]
    if size > side:
        raise ValueError(f"size={size}: the images have {side} px, cut out at most as many")
    start = (side - size) // 2
    return replace(dataset, x=dataset.x[..., start : start + size, start : start + size].contiguous())


def shrunk(dataset: DomainDataset, size: int) -> DomainDataset:
    """The whole image at ``size`` pixels, bicubic with antialiasing, the same in rows and columns."""
    x = F.interpolate(dataset.x, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return replace(dataset, x=x.clamp(0, 1))


def without_border(dataset: DomainDataset, margin: float = 3.0) -> DomainDataset:
    """Mid-grey outside the circle that ends ``margin`` pixels before the border: no edge or corner of the crop."""
    side = dataset.x.shape[-1]
    place = torch.arange(side) - (side - 1) / 2
    inside = place[:, None].square() + place.square() < (side / 2 - margin) ** 2
    return replace(dataset, x=torch.where(inside, dataset.x, 0.5))


def without_slope(dataset: DomainDataset, contrast: float = 0.7) -> DomainDataset:
    """Without the plane that fits each channel of each image best, at less contrast so that [0, 1] holds the rest.

    So no side of an image is lighter, or more of one stain, than the other.
    """
    ramp = torch.linspace(-1, 1, dataset.x.shape[-1])
    ramp = ramp / ramp.square().mean().sqrt()
    x = dataset.x
    for direction in (ramp, ramp[:, None]):
        x = x - (x * direction).mean((2, 3), keepdim=True) * direction
    return replace(dataset, x=(contrast * (x - 0.5) + 0.5).clamp(0, 1))


def one_channel(dataset: DomainDataset, channel: int = GREEN) -> DomainDataset:
    """One colour channel (of three) in place of all: no colour, and nothing between the channels."""
    return replace(dataset, x=dataset.x[:, channel : channel + 1].expand(-1, 3, -1, -1).contiguous())


def shifted(x: Tensor, down: float, right: float) -> Tensor:
    """Images (..., H, W) moved by parts of a pixel, by Fourier transform: nothing is blurred; it wraps around."""
    height, width = x.shape[-2:]
    turns = torch.fft.fftfreq(height)[:, None] * down + torch.fft.rfftfreq(width) * right
    phase = torch.exp(-2j * torch.pi * turns)
    return torch.fft.irfft2(torch.fft.rfft2(x) * phase, s=(height, width))


def displacement(a: Tensor, b: Tensor, rounds: int = 3) -> tuple[float, float]:
    """How far the images ``b`` lie beside the images ``a``, both (n, H, W), in pixels: (down, right), one for all n.

    Least squares on the gradients of ``a`` (Lucas & Kanade 1981), brightness and contrast fitted for each image.
    """
    a = a - a.mean((1, 2), keepdim=True)
    down, right = (a[:, 2:, 1:-1] - a[:, :-2, 1:-1]) / 2, (a[:, 1:-1, 2:] - a[:, 1:-1, :-2]) / 2
    slopes = torch.stack([down.flatten(), right.flatten()])
    found = torch.zeros(2)
    for _ in range(rounds):
        moved = shifted(b, *(-found).tolist())
        moved = moved - moved.mean((1, 2), keepdim=True)
        moved = moved * (a * moved).sum((1, 2), keepdim=True) / moved.square().sum((1, 2), keepdim=True).clamp_min(1e-9)
        rest = (a - moved)[:, 1:-1, 1:-1].flatten()
        found += torch.linalg.solve(slopes @ slopes.T, slopes @ rest)
    return found[0].item(), found[1].item()


def channel_shifts(dataset: DomainDataset) -> pd.DataFrame:
    """How far red and blue lie beside green, in pixels: index domain, columns red down, red right, blue down, ...

    One displacement for all images of a domain, measured on `ENOUGH` of them. ValueError without three channels.
    """
    if dataset.x.shape[1] != 3:
        raise ValueError(f"{dataset.info.name} has {dataset.x.shape[1]} channel(s): only colour images have three")
    rows = {}
    for number in dataset.domain.unique().tolist():
        x = dataset.x[dataset.domain == number]
        x = x[:: -(-len(x) // ENOUGH)]
        red, blue = (displacement(x[:, GREEN], x[:, channel]) for channel in (0, 2))
        rows[dataset.domain_names[number]] = [*red, *blue]
    columns = ["red down", "red right", "blue down", "blue right"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def registered(dataset: DomainDataset) -> DomainDataset:
    """Red and blue laid over green, domain by domain, by the displacement of `channel_shifts`."""
    return _moved(dataset, dataset.x, -1)


def displaced(dataset: DomainDataset) -> DomainDataset:
    """The opposite control: the green channel in place of all three, with red and blue displaced as they were."""
    return _moved(dataset, one_channel(dataset).x, 1)


def _moved(dataset: DomainDataset, x: Tensor, direction: int) -> DomainDataset:
    x = x.clone()
    for name, row in channel_shifts(dataset).iterrows():
        inside = dataset.domain == dataset.domain_names.index(name)
        for channel, colour in ((0, "red"), (2, "blue")):
            by = direction * row[f"{colour} down"], direction * row[f"{colour} right"]
            x[inside, channel] = shifted(x[inside, channel], *by)
    return replace(dataset, x=x.clamp(0, 1))
