"""From a model to the tidy frame of its predictions, a row an image and run. Chapter: evaluation_protocols."""

from __future__ import annotations

import numpy as np
import pandas as pd
from torch import Tensor

from medgen_utils.domains import DomainDataset
from medgen_utils.machine import in_batches

NOBODY = r"(?:^|/)image \d+$"
"""Matches a ``group`` in which no patient is known, as `patients_of` writes it."""


def predict_probabilities(algorithm: object, x: Tensor, batch_size: int = 512) -> np.ndarray:
    """Class probabilities (N, k) of images x (N, C, H, W): the softmax of ``algorithm.predict(x) -> logits (n, k)``.

    A module is put in evaluation mode and back. Chapter: domain_shift.
    """
    return in_batches(algorithm, algorithm.predict, x, batch_size).double().softmax(1).numpy()


def predictions_frame(
    algorithm: object,
    dataset: DomainDataset,
    *,
    name: str,
    seed: int,
    protocol: str,
    split: str = "test",
    batch_size: int = 512,
) -> pd.DataFrame:
    """The tidy frame of one run on one data set, a row per image, in the order of the data set.

    algorithm: anything with ``predict(x) -> logits (n, k)``, see `predict_probabilities`.
    ``index`` numbers the images by their position in the data set as it was loaded, which subsets keep.
    ``group`` is "domain/patient", or "domain/image index" where the patient is unknown, so that patients of two
    hospitals never collide; ``run`` is "protocol/name/seed".
    """
    prob = predict_probabilities(algorithm, dataset.x, batch_size)
    return frame_of(prob, dataset, name=name, seed=seed, protocol=protocol, split=split)


def frame_of(
    prob: np.ndarray, dataset: DomainDataset, *, name: str, seed: int, protocol: str, split: str = "test"
) -> pd.DataFrame:
    """`predictions_frame` of class probabilities (N, k) that are computed already, in the order of the data set."""
    domain = np.array(dataset.domain_names, dtype=object)[dataset.domain.numpy()]
    columns = {
        "run": f"{protocol}/{name}/{seed}",
        "algorithm": name,
        "seed": seed,
        "protocol": protocol,
        "split": split,
    }
    columns |= {"domain": domain, "group": patients_of(dataset), "index": dataset.index.numpy()}
    columns |= {"y": dataset.y.numpy(), "pred": prob.argmax(1)}
    return pd.DataFrame(columns | {f"prob_{k}": prob[:, k] for k in range(prob.shape[1])})


def patients_of(dataset: DomainDataset) -> list[str]:
    """The ``group`` of each image in a tidy frame: "domain/patient", or "domain/image index" where that is unknown."""
    domain, index = (values.tolist() for values in (dataset.domain, dataset.index))
    names = [dataset.domain_names[number] for number in domain]
    return [f"{d}/{g}" if g else f"{d}/image {i}" for d, g, i in zip(names, dataset.group, index, strict=True)]


def probabilities(frame: pd.DataFrame) -> np.ndarray:
    """The columns prob_0 ... prob_(k-1) of a tidy frame as (n, k), without those that are empty in all its rows."""
    k = sum(column.startswith("prob_") for column in frame.columns)
    missing = [f"prob_{i}" for i in range(k) if f"prob_{i}" not in frame.columns]
    if k < 2 or missing:
        raise ValueError(f"probabilities need columns prob_0, prob_1 ...; missing {missing or 'all'}: name them so")
    prob = np.stack([frame[f"prob_{i}"].to_numpy(float) for i in range(k)], axis=1)
    return prob[:, ~np.isnan(prob).all(0)]
