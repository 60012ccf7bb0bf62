"""One protocol for every method: the fair experiment, and one run of a sweep. Chapters: all remedies, scoreboard.

`run` is one experiment, `compare` a few of them side by side as a `Result`. `run_task` is a run as the sweep does it
(`medgen_utils.benchmark.runs`): rows of scores. Who takes part: `medgen_utils.benchmark.entries`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from medgen_utils.benchmark.entries import PROTOCOL, SHARED_SPACE, Contender, Problem
from medgen_utils.data_augmentation import compose
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import METRICS, predictions_frame
from medgen_utils.self_supervision import unlabelled
from medgen_utils.training import ERM, Augmentation, build, fit, flips

KEY = ["problem", "method", "left_out", "trial", "seed"]
SCORES = ["auroc", "balanced_accuracy", "brier", "calibration_error"]
EVALUATIONS = 8  # of the validation images during a run, as evenly spaced as steps allow: the learning curve


def run(
    algorithm: type[ERM],
    dataset: DomainDataset,
    target: str | Sequence[str],
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
    backbone: Callable[[], nn.Module] | None = None,
    device: str | None = None,
    pretrain: type[ERM] | None = None,
    sees_target: bool = False,
    validation_share: float = 0.1,
    evaluations: int = 0,
    keep_predictions: str | Path | None = None,
) -> pd.DataFrame:
    """Leave-one-domain-out: train on every domain but ``target``, predict all images of ``target``.

    The share ``validation_share`` of each source (patients kept together, drawn with ``seed``) is set aside as
    training-domain validation. Returns the tidy frame of `evaluation.predictions_frame`, with split "validation" for
    those images and "test" for the target's, and the column ``seconds`` (of training). ``name`` is what the frame
    calls the algorithm. With ``evaluations`` > 0, ``frame.attrs["curve"]`` holds the mean AUROC on the validation
    images at so many steps.

    Several targets are left out together. ``backbone()`` makes another featurizer than the `SmallCNN` of this
    ``width``, for example ``backbones.EfficientNetLite0``. ``pretrain`` first trains the featurizer without labels, for
    as many steps; ``hyperparameters`` are then its own; learning rate and weight decay among them are those of both
    trainings.
    ``sees_target`` gives the reference with the target included: up to half of the target's patients train too, in
    place of as many images of the others, and the rest of the target is the test. ``keep_predictions``: a file for
    `save_predictions`.
    ValueError where ``target`` is no domain of the data set. Source of the scheme: Gulrajani & Lopez-Paz 2021.
    """
    targets = [target] if isinstance(target, str) else list(target)
    sources, test = dataset.without(*targets), dataset.only(*targets)
    if sees_target:
        share = min(0.5, 0.5 * len(sources) / len(test))
        seen, _, test = split(test, seed, (share, 0.0, 1 - share))
        kept, _, _ = split(sources, seed, (1 - len(seen) / len(sources), 0.0, len(seen) / len(sources)))
        sources = dataset.subset(torch.isin(dataset.index, torch.cat([kept.index, seen.index])))
    train, validation, _ = split(sources, seed, (1 - validation_share, validation_share, 0.0))
    own = dict(hyperparameters or {})
    shared = {key: own.pop(key) for key in SHARED_SPACE if key in own}
    options = {"seed": seed, "width": width, "normalize": normalize, "backbone": backbone}
    settings = {"steps": steps, "batch_size": batch_size, "augment": augment, "seed": seed, "device": device, **shared}
    model = build(algorithm, train, hyperparameters={} if pretrain else own, **options)
    seconds = 0.0
    if pretrain:
        images = unlabelled(train)
        start = build(pretrain, images, hyperparameters=own, **options)
        seconds += fit(start, images, balanced=False, **settings).seconds
        model.featurizer.load_state_dict(start.featurizer.state_dict())
    looks = evaluations if len(validation) else 0  # hospitals of a few patients may leave none to look at
    every = -(-steps // looks) if looks else 0  # rounded up: no more than so many, the last at the end
    result = fit(model, train, balanced=balanced, validation=validation, evaluate_every=every, **settings)
    label = {"name": name or algorithm.__name__, "seed": seed, "protocol": f"leave out {' and '.join(targets)}"}
    parts = {"validation": validation, "test": test}
    frames = [predictions_frame(model, part, split=key, **label) for key, part in parts.items() if len(part)]
    frame = pd.concat(frames, ignore_index=True).assign(seconds=round(seconds + result.seconds, 2))
    if evaluations:
        frame.attrs["curve"] = _curve(result.history) if looks else []
    if keep_predictions:
        save_predictions(frame, keep_predictions)
    return frame


def _curve(history: pd.DataFrame) -> list[float]:
    """Mean AUROC over the training domains at each evaluation."""
    rows = history[(history["split"] == "validation") & (history["metric"] == "auroc")]
    return rows.groupby("step")["value"].mean().round(4).tolist()


def save_predictions(frame: pd.DataFrame, path: str | Path) -> None:
    """The test images of a run of two classes as a small npz: index (N,) int32, log_odds (N,) float16 of class 1.

    The log odds and not the probability: near 0 and 1 float16 would make equal what a network told apart.
    """
    test = frame[frame["split"] == "test"]
    tiny = np.finfo(float).tiny
    odds = np.log(np.maximum(test["prob_1"], tiny)) - np.log(np.maximum(test["prob_0"], tiny))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, index=test["index"].to_numpy(np.int32), log_odds=odds.to_numpy(np.float16))


class Task(NamedTuple):
    """One run of a sweep."""

    problem: Problem
    contender: Contender
    left_out: tuple[str, ...]
    trial: int
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What identifies the run in the results: problem, method, left_out, trial, seed."""
        return self.problem.name, self.contender.name, " + ".join(self.left_out), self.trial, self.seed

    @property
    def steps(self) -> int:
        """Training steps: the problem's budget, times the contender's passes."""
        return round(self.problem.steps * self.contender.passes)

    @property
    def file(self) -> str:
        """The name under which a work folder keeps the run's predictions."""
        return "--".join(str(part).replace("/", " ") for part in self.key) + ".npz"


def run_contender(
    contender: Contender,
    dataset: DomainDataset,
    target: str | Sequence[str],
    settings: dict[str, float],
    **options: Any,
) -> pd.DataFrame:
    """`run` of a contender with the settings of one of its trials; ``options`` as `run` takes them."""
    strengths = {key: settings[key] for key in contender.strengths}
    augment = options.pop("augment", flips)
    if contender.augment is not None:
        augment = compose(augment, lambda x, generator: contender.augment(x, generator, **strengths))
    return run(
        contender.algorithm, dataset, target, name=contender.name, augment=augment,
        hyperparameters={key: value for key, value in settings.items() if key not in strengths},
        normalize=contender.normalize, pretrain=contender.pretrain, sees_target=contender.sees_target,
        **options,
    )  # fmt: skip


def build_contender(
    contender: Contender, train: DomainDataset, *, seed: int, width: int
) -> tuple[ERM, dict[str, float]]:
    """The untrained network of a contender's first trial, and the learning rate and weight decay to `fit` it with.

    For a look at what a training does. ValueError for a contender that changes images or trains twice: see `run`.
    """
    if contender.augment or contender.normalize or contender.pretrain or contender.sees_target:
        raise ValueError(f"{contender.name!r} is more than an algorithm: train it with compare() or run()")
    own = contender.settings(0)
    shared = {key: own.pop(key) for key in SHARED_SPACE}
    return build(contender.algorithm, train, seed=seed, width=width, hyperparameters=own), shared


def run_task(
    task: Task, device: str = "cpu", settings: dict[str, float] | None = None, predictions: Path | None = None
) -> pd.DataFrame:
    """A run of a sweep: a row for the validation images (mean over training domains) and one for each tested domain.

    Columns: `KEY`, family, backbone, image_size, split, domain, `SCORES`, n (images), site (of the domain),
    steps, settings (JSON), curve (of the validation row: AUROC at evenly spaced steps), seconds (of training), finished
    (UTC), protocol. A network that diverged predicts nothing: one half for each class, AUROC .5. ``settings``: in place
    of those of the trial.
    ``predictions``: a folder for the log odds of the test images.
    """
    problem, contender, backbone = task.problem, task.contender, None
    if problem.elsewhere:
        contender = replace(contender, algorithm=problem.elsewhere.adapt(contender.algorithm))
        backbone = partial(problem.elsewhere.featurizer, problem.width, contender.normalize)
    settings = contender.settings(task.trial) if settings is None else settings
    dataset = problem.load(task.seed)
    frame = run_contender(
        contender, dataset, task.left_out, settings, seed=task.seed, steps=task.steps,
        width=problem.width, balanced=problem.balanced, augment=problem.augment, backbone=backbone, device=device,
        evaluations=EVALUATIONS, validation_share=problem.validation_share,
        keep_predictions=predictions / task.file if predictions else None,
    )  # fmt: skip
    rows = []
    for (part, domain), images in frame.groupby(["split", "domain"], sort=True):
        y, score = images["y"].to_numpy(), images[["prob_0", "prob_1"]].fillna(0.5).to_numpy()
        rows.append([part, domain, *(METRICS[metric](y, score) for metric in SCORES), len(images)])
    scores = pd.DataFrame(rows, columns=["split", "domain", *SCORES, "n"])
    inside = scores["split"] == "validation"
    validation = {"split": "validation", "domain": "all sources", **scores[inside][SCORES].mean()}
    validation = pd.DataFrame([{**validation, "n": scores[inside]["n"].sum()}])
    table = pd.concat([validation, scores[~inside]], ignore_index=True).round(dict.fromkeys(SCORES, 6))
    curve = " ".join(f"{value:.4f}" for value in frame.attrs["curve"])
    known = dict(zip(KEY, task.key, strict=True)) | {
        "family": contender.family, "backbone": problem.backbone, "image_size": problem.size,
    }  # fmt: skip
    names = pd.DataFrame([known] * len(table))
    return pd.concat([names, table], axis=1).assign(
        steps=task.steps, settings=json.dumps(settings), seconds=frame["seconds"].iloc[0],
        curve=np.where(table["split"] == "validation", curve, ""),
        site=table["domain"].map(dataset.sites()).fillna(""),
        finished=datetime.now(UTC).isoformat(timespec="seconds"), protocol=PROTOCOL,
    )  # fmt: skip
