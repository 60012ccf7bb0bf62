"""A hospital of the clinic replaces its scanner: what adaptation repairs, and what breaks it. Chapter: outlook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from medgen_utils.adaptation import ByBatch, Tent, adapt_batchnorm
from medgen_utils.clinic import Clinic, acquisition_hospitals, make_clinic
from medgen_utils.evaluation import metrics_by, predict_probabilities, predictions_frame
from medgen_utils.hospital import Hospital
from medgen_utils.training import ERM, build, fit, flips_and_turns

Ways = dict[str, Callable[[ERM, Tensor], object]]
"""Name -> what predicts, made of the trained model and of all images that it will meet."""

METRICS = ("auroc", "balanced_accuracy")
OURS = Hospital("our hospital")
BATCH = 32  # images that come together


def train_elsewhere(seed: int, steps: int) -> ERM:
    """The small network after training on 1,800 patients of three hospitals with mildly different scanners."""
    train = make_clinic(acquisition_hospitals(3)[:-1], 600, seed)
    model = build(ERM, train, seed=seed, width=16)
    fit(model, train, steps=steps, augment=flips_and_turns, seed=seed)
    return model


def patients_of(hospital: Hospital, n: int, model_number: int) -> Clinic:
    """n patients of a hospital for the test of a model: others for every model, the same for every hospital."""
    return make_clinic([hospital], n, 100 + model_number)


def over_gains(models: Sequence[ERM], ours: Hospital, gains: Sequence[float], ways: Ways, n: int = 300) -> pd.DataFrame:
    """Each way at our hospital with scanners of these gains: `metrics_by` with columns algorithm, gain, metric.

    Patients come in random order, in batches of `BATCH`.
    """
    frames = []
    for gain in gains:
        for number, model in enumerate(models):
            test = patients_of(replace(ours, gain=gain), n, number)
            frames += [_frame(way(model, test.x), test, name, number).assign(gain=gain) for name, way in ways.items()]
    return metrics_by(pd.concat(frames), by=("algorithm", "gain"), metrics=METRICS)


def over_batch_sizes(
    models: Sequence[ERM], ours: Hospital, sizes: Sequence[int], priors: Sequence[float], n: int = 300
) -> pd.DataFrame:
    """Statistics of each batch alone, in batches of these sizes and with memories worth so many images (N).

    `metrics_by` with columns memory ("N = 0") and size, of the AUROC.
    """
    frames = []
    for size in sizes:
        for prior in priors:
            for number, model in enumerate(models):
                test = patients_of(ours, n, number)
                frame = _frame(ByBatch(model, prior), test, f"N = {prior:g}", number, batch_size=size)
                frames.append(frame.assign(size=size))
    table = metrics_by(pd.concat(frames), by=("algorithm", "size"))
    return table.rename(columns={"algorithm": "memory"})


def over_shares(
    models: Sequence[ERM], ours: Hospital, shares: Sequence[float], draws: int, size: int = 64
) -> pd.DataFrame:
    """The share called malignant in batches of so many patients, of whom a given share is malignant.

    A row a batch and way ("ERM", "statistics": of that batch alone): share, algorithm, value.
    """
    pool = make_clinic([ours], 400, seed=11)
    of = {label: np.flatnonzero(pool.true_y.numpy() == label) for label in (0, 1)}
    rows = []
    for model in models:
        for share in shares:
            for draw in range(draws):
                rng = np.random.default_rng(draw)
                counts = {1: round(size * share), 0: size - round(size * share)}
                x = pool.x[np.concatenate([rng.choice(of[label], n, replace=False) for label, n in counts.items()])]
                for name, predictor in {"ERM": model, "statistics": adapt_batchnorm(model, x, 0)}.items():
                    rows.append([share, name, predict_probabilities(predictor, x).argmax(1).mean()])
    return pd.DataFrame(rows, columns=["share", "algorithm", "value"])


def in_two_orders(models: Sequence[ERM], hospital: Hospital, n: int = 300) -> pd.DataFrame:
    """The same patients shuffled, and with all benign ones first: `metrics_by`, columns algorithm, order, metric."""
    ways: dict[str, Callable[[ERM], object]] = {
        "ERM": lambda model: model,
        "statistics of each batch": lambda model: ByBatch(model, 0),
        "Tent, reset after each batch": lambda model: Tent(model, episodic=True, steps=2),
        "Tent": Tent,
    }
    frames = []
    for number, model in enumerate(models):
        test = patients_of(hospital, n, number)
        shuffled = torch.randperm(n, generator=torch.Generator().manual_seed(number))
        for order, places in {"shuffled": shuffled, "benign first": torch.argsort(test.true_y, stable=True)}.items():
            for name, way in ways.items():
                frames.append(_frame(way(model), test.subset(places), name, number).assign(order=order))
    return metrics_by(pd.concat(frames), by=("algorithm", "order"), metrics=METRICS)


def _frame(predictor: object, test: Clinic, name: str, number: int, batch_size: int = BATCH) -> pd.DataFrame:
    return predictions_frame(predictor, test, name=name, seed=number, protocol="clinic", batch_size=batch_size)
