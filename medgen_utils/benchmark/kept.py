"""Finished runs of a comparison in a folder, so that one that was killed goes on where it was. Used by `comparison`.

A file holds numbers of images and probabilities, no names of patients; what a run was made with is in its name, as a
hash, so that runs of other images, methods or steps are never taken for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from medgen_utils.domains import DomainDataset
from medgen_utils.evaluation.predictions import frame_of


def fingerprint(dataset: DomainDataset) -> str:
    """A hash of images, labels, domains and patients."""
    digest = hashlib.sha256()
    for array in (dataset.x, dataset.y, dataset.domain, dataset.index):
        digest.update(np.ascontiguousarray(array.numpy()).tobytes())
    names = [dataset.x.shape, dataset.class_names, dataset.domain_names, dataset.group.tolist()]
    digest.update(json.dumps(names).encode())
    return digest.hexdigest()


def hashed(settings: dict) -> str:
    """A short hash of what a run is made with; functions and classes count by their name."""
    text = json.dumps(settings, sort_keys=True, default=lambda value: getattr(value, "__qualname__", repr(value)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def save_run(frame: pd.DataFrame, path: Path) -> None:
    """Write a run's predictions whole or not at all: the frame of `protocol.run`, its seconds and its curve."""
    prob = frame[[column for column in frame.columns if column.startswith("prob_")]].to_numpy(float)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez_compressed(
            file, index=frame["index"].to_numpy(), test=(frame["split"] == "test").to_numpy(), prob=prob,
            seconds=frame["seconds"].iloc[0], curve=np.array(frame.attrs.get("curve", []), float),
        )  # fmt: skip
    os.replace(file.name, path)


def load_run(path: Path, dataset: DomainDataset, *, name: str, seed: int, protocol: str) -> pd.DataFrame | None:
    """The frame that `save_run` wrote, of images of ``dataset``; None where there is none, or none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            index, test, prob, seconds, curve = (file[key] for key in ("index", "test", "prob", "seconds", "curve"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    place = torch.full((int(dataset.index.max()) + 1,), -1)
    place[dataset.index] = torch.arange(len(dataset))
    parts = []
    for split, inside in (("validation", ~test), ("test", test)):
        images = dataset.subset(place[torch.from_numpy(index[inside])])
        parts.append(frame_of(prob[inside], images, name=name, seed=seed, protocol=protocol, split=split))
    frame = pd.concat(parts, ignore_index=True).assign(seconds=float(seconds))
    frame.attrs["curve"] = curve.tolist()
    return frame
