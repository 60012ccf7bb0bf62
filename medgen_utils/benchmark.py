"""The one fair experiment of the book: train without a domain, test on it. Chapters: all remedies, scoreboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from torch import Tensor

from medgen_utils.data import DomainDataset, split
from medgen_utils.evaluation import predictions_frame
from medgen_utils.training import ERM, Augmentation, build, fit, flips


def run(
    algorithm: type[ERM],
    dataset: DomainDataset,
    target: str,
    *,
    seed: int,
    steps: int,
    name: str | None = None,
    hyperparameters: dict[str, Any] | None = None,
    normalize: Callable[[Tensor], Tensor] | None = None,
    augment: Augmentation | None = flips,
    balanced: bool = True,
    batch_size: int = 48,
    width: int = 32,
    device: str = "cpu",
) -> pd.DataFrame:
    """Leave-one-domain-out: train on every domain but ``target``, predict all images of ``target``.

    A tenth of each source (patients kept together, drawn with ``seed``) is set aside as training-domain validation.
    Returns the tidy frame of `evaluation.predictions_frame`, with split "validation" for those images and "test" for
    the target's, and the column ``seconds`` (of training). ``name`` is what the frame calls the algorithm.
    ValueError where ``target`` is no domain of the data set. Source of the scheme: Gulrajani & Lopez-Paz 2021.
    """
    train, validation, _ = split(dataset.without(target), seed, (0.9, 0.1, 0.0))
    model = build(algorithm, train, seed=seed, width=width, normalize=normalize, hyperparameters=hyperparameters)
    fitted = fit(
        model, train, steps=steps, batch_size=batch_size, balanced=balanced, augment=augment, seed=seed, device=device
    )
    parts = {"validation": validation, "test": dataset.only(target)}
    label = {"name": name or algorithm.__name__, "seed": seed, "protocol": f"leave out {target}"}
    frames = [predictions_frame(model, part, split=split_name, **label) for split_name, part in parts.items()]
    return pd.concat(frames, ignore_index=True).assign(seconds=round(fitted.seconds, 2))
