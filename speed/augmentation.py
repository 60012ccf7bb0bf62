"""Images per second of every augmentation, beside torchvision's per-image transform and kornia's batched one.

    python speed/augmentation.py [--batch 128] [--repeats 25] [--threads N]

CPU, wall time, one thread unless --threads is given (a data loader's workers grow with the cores too, so one core
against one core is the fair comparison); run it on an idle machine. A row is one operation with the same ranges in all
libraries; torchvision works as in a data loader, one image after another, then a stack. The libraries take turns
(torchvision every fifth), the best time of each counts. "-": the library has no such operation. Macenko's method, which
torchvision does not have, is compared with torchstain's. The rows "part of it" show what `intensity_jitter` is made of:
a power or a million random draws are arithmetic that batching cannot save, so alone they gain least.

Seen in six runs on an idle machine (2026-11, two cores, one thread); the aim is not slower than kornia and 5 times
torchvision. Lowest and highest run at 64 pixels, times torchvision: `intensity_jitter` 5.5 and 5.9 (with blur and noise
5.8 and 6.9), `colour_jitter` 34 and 45, `to_grey` 6.2 and 8.9, `standardize_per_image` 5.8 and 8.3, `augmix` 7.0 and
9.0; at 28 pixels all above 15. No function was slower than kornia. `stain_normalize` was 3.5 to 5.2 times as fast as
torchstain at 64 pixels, 12 to 17 times at 28, when half of its time went into percentiles; these now take a quarter to
a tenth of that (NumPy's partition). Beside other work the ratios are
lower: every large result is memory that the system has to hand out, and what is made in portions needs less of it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import kornia.augmentation as kornia
import pandas as pd
import torch
import torchstain
import torchvision.transforms.v2 as vision
import torchvision.transforms.v2.functional as vision_functions
from torch import Tensor

from medgen_utils import data_augmentation as ours
from medgen_utils.data_augmentation.stain import REFERENCE
from medgen_utils.machine import threads

OnBatch = Callable[[Tensor], Tensor]
generator = torch.Generator().manual_seed(0)


def per_image(transform: Callable[[Tensor], Tensor]) -> OnBatch:
    """A transform of one image, applied as a data loader does."""
    return lambda x: torch.stack([transform(image) for image in x])


def uniform(limit: float) -> float:
    return limit * (2 * torch.rand(()).item() - 1)


def gamma(image: Tensor) -> Tensor:
    """torchvision has the function but no random transform of it."""
    return vision_functions.adjust_gamma(image, math.exp(uniform(0.4)))


def brightness(image: Tensor) -> Tensor:
    """Additive, as ours and kornia's; torchvision's brightness is a gain."""
    return (image + uniform(0.1)).clamp(0, 1)


def standardize(image: Tensor) -> Tensor:
    return vision_functions.normalize(image, [image.mean().item()] * 3, [image.std().item()] * 3)


def augmix_of_bytes(image: Tensor) -> Tensor:
    """torchvision's AugMix takes bytes."""
    return vision.AugMix()((image * 255).to(torch.uint8)).float() / 255


def macenko(image: Tensor) -> Tensor:
    """torchstain takes 0 to 255 and gives (H, W, 3)."""
    normalizer = torchstain.normalizers.MacenkoNormalizer(backend="torch")
    normalizer.HERef, normalizer.maxCRef = REFERENCE.colours[0], REFERENCE.strength[0]
    return normalizer.normalize(I=image * 255, stains=False)[0].permute(2, 0, 1) / 255


def jitter(**limits: float) -> OnBatch:
    """Only the named parts of `intensity_jitter`."""
    off = dict.fromkeys(("gamma", "contrast", "gain", "brightness"), 0.0)
    return lambda x: ours.intensity_jitter(x, generator, **(off | limits))


def draws(function: Callable, *arguments) -> OnBatch:
    return lambda x: function(x, generator, *arguments)


def mix_within(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> OnBatch:
    """`mixup` and `mix_style` of a batch with itself."""
    return lambda x: function(x, torch.randperm(len(x), generator=generator), ours.draw_beta(0.2, len(x), generator))


def operations() -> dict[str, tuple[OnBatch, OnBatch | None, OnBatch | None]]:
    """Name: ours, torchvision's (torchstain's for Macenko), kornia's."""
    blur, noise = vision.GaussianBlur(7, (0.01, 1.0)), vision.GaussianNoise(0, 0.015)
    colour = vision.ColorJitter(0.2, 0.4)
    default = (gamma, colour, brightness)
    k_gamma, k_colour = kornia.RandomGamma((0.67, 1.5), (1, 1), p=1.0), kornia.ColorJitter(0.2, 0.4, p=1.0)
    k_brightness = kornia.RandomBrightness((0.9, 1.1), p=1.0)
    k_blur = kornia.RandomGaussianBlur((7, 7), (0.01, 1.0), p=1.0)
    k_noise = kornia.RandomGaussianNoise(0, 0.015, p=1.0)
    k_default = torch.nn.Sequential(k_gamma, k_colour, k_brightness)
    full = partial(ours.intensity_jitter, generator=generator, blur=1.0, noise=0.03)
    part = "intensity_jitter, part of it: "
    return {
        "intensity_jitter (default)": (draws(ours.intensity_jitter), per_image(vision.Compose(default)), k_default),
        "intensity_jitter (and blur, noise)": (
            full,
            per_image(vision.Compose([blur, *default, noise])),
            torch.nn.Sequential(k_blur, *k_default, k_noise),
        ),
        part + "gamma": (jitter(gamma=0.4), per_image(gamma), k_gamma),
        part + "contrast, gain": (jitter(contrast=0.4, gain=0.2), per_image(colour), k_colour),
        part + "blur": (jitter(blur=1.0), per_image(blur), k_blur),
        part + "noise": (jitter(noise=0.03), per_image(noise), k_noise),
        "colour_jitter": (
            draws(ours.colour_jitter),
            per_image(vision.ColorJitter(0, 0, 0.2, 0.05)),
            kornia.ColorJitter(0, 0, 0.2, 0.05, p=1.0),
        ),
        "to_grey": (ours.to_grey, per_image(vision.Grayscale(3)), kornia.RandomGrayscale(p=1.0)),
        "standardize_per_image": (ours.standardize_per_image, per_image(standardize), None),
        "augmix": (draws(ours.augmix), per_image(augmix_of_bytes), None),
        "mixup (images)": (mix_within(ours.mixup), None, kornia.RandomMixUpV2(p=1.0, data_keys=["input"])),
        "mix_style": (mix_within(ours.mix_style), None, None),
        "stain_normalize": (ours.stain_normalize, per_image(macenko), None),
        "stain_jitter": (draws(ours.stain_jitter), None, None),
        "random_convolution": (draws(ours.random_convolution), None, None),
        "amplitude_jitter": (draws(ours.amplitude_jitter), None, None),
    }


def seconds_of(function: OnBatch, x: Tensor) -> float:
    start = time.perf_counter()
    function(x)
    return time.perf_counter() - start


def tissue(n: int, size: int) -> Tensor:
    """Random smooth images in the colours of a stained slide, so that Macenko's method has stains to find."""
    coarse = torch.rand(n, 2, 6, 6, generator=generator) * 1.5
    amounts = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp_min(0)
    noise = 0.02 * torch.randn(n, 3, size, size, generator=generator)
    return (torch.exp(-torch.einsum("rs,nshw->nrhw", REFERENCE.colours[0], amounts)) + noise).clamp(0, 1)


def compare(batch: int, repeats: int) -> pd.DataFrame:
    rows = []
    for size in (28, 64):
        x = tissue(batch, size)
        for name, functions in operations().items():
            best = [math.inf] * 3
            for repeat in range(repeats + 1):  # the first one warms up
                for i, function in enumerate(functions):
                    if function is not None and (i != 1 or repeat % 5 == 0):  # the slow one: a fifth of the turns
                        seconds = seconds_of(function, x)
                        best[i] = min(best[i], seconds) if repeat else math.inf
            own, vision_time, kornia_time = best
            rows.append(
                {
                    "pixels": size,
                    "operation": name,
                    "ours, images/s": round(batch / own),
                    "torchvision, images/s": round(batch / vision_time) or "-",
                    "kornia, images/s": round(batch / kornia_time) or "-",
                    "times torchvision": round(vision_time / own, 1) if vision_time < math.inf else "-",
                    "times kornia": round(kornia_time / own, 1) if kornia_time < math.inf else "-",
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print(f"{options.threads} thread(s), batches of {options.batch}")
    with threads(options.threads):
        print(compare(options.batch, options.repeats).to_string(index=False))
