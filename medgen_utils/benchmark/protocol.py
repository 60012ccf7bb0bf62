"""One protocol for every method: the fair experiment, and the sweep of all of them. Chapters: all remedies, scoreboard.

`run` is one experiment. `sweep` runs many: contenders x problems x left-out domains x trials of hyper-parameters x
seeds, side by side, writing each to a CSV as it ends; started again, it goes on where it was. `chosen` then picks a
trial for every left-out domain by one of the rules of `selection`. Who takes part: `medgen_utils.benchmark.entries`.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from medgen_utils.benchmark.entries import SHARED_SPACE, Contender, Problem
from medgen_utils.data_augmentation import compose
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import auroc, brier, predictions_frame
from medgen_utils.machine import show_progress, with_one_thread
from medgen_utils.self_supervision import unlabelled
from medgen_utils.training import ERM, Augmentation, build, fit, flips


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
    device: str | None = None,
    pretrain: type[ERM] | None = None,
    sees_target: bool = False,
) -> pd.DataFrame:
    """Leave-one-domain-out: train on every domain but ``target``, predict all images of ``target``.

    A tenth of each source (patients kept together, drawn with ``seed``) is set aside as training-domain validation.
    Returns the tidy frame of `evaluation.predictions_frame`, with split "validation" for those images and "test" for
    the target's, and the column ``seconds`` (of training). ``name`` is what the frame calls the algorithm.

    Several targets are left out together. ``pretrain`` first trains the featurizer without labels, for as many steps;
    ``hyperparameters`` are then its own; learning rate and weight decay among them are those of both trainings.
    ``sees_target`` gives the in-domain upper bound: half of the target's patients train too, the others are the test.
    ValueError where ``target`` is no domain of the data set. Source of the scheme: Gulrajani & Lopez-Paz 2021.
    """
    targets = [target] if isinstance(target, str) else list(target)
    sources, test = dataset.without(*targets), dataset.only(*targets)
    if sees_target:
        seen, _, test = split(test, seed, (0.5, 0.0, 0.5))
        kept = torch.isin(dataset.index, torch.cat([sources.index, seen.index]))
        sources = dataset.subset(kept)
    train, validation, _ = split(sources, seed, (0.9, 0.1, 0.0))
    own = dict(hyperparameters or {})
    shared = {key: own.pop(key) for key in SHARED_SPACE if key in own}
    options = {"seed": seed, "width": width, "normalize": normalize}
    settings = {"steps": steps, "batch_size": batch_size, "augment": augment, "seed": seed, "device": device, **shared}
    model = build(algorithm, train, hyperparameters={} if pretrain else own, **options)
    seconds = 0.0
    if pretrain:
        images = unlabelled(train)
        start = build(pretrain, images, hyperparameters=own, **options)
        seconds += fit(start, images, balanced=False, **settings).seconds
        model.featurizer.load_state_dict(start.featurizer.state_dict())
    seconds += fit(model, train, balanced=balanced, **settings).seconds
    label = {"name": name or algorithm.__name__, "seed": seed, "protocol": f"leave out {' and '.join(targets)}"}
    parts = {"validation": validation, "test": test}
    frames = [predictions_frame(model, part, split=split_name, **label) for split_name, part in parts.items()]
    return pd.concat(frames, ignore_index=True).assign(seconds=round(seconds, 2))


class Task(NamedTuple):
    """One run of a sweep."""

    problem: Problem
    contender: Contender
    left_out: tuple[str, ...]
    trial: int
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What identifies the run in the results: problem, contender, left_out, trial, seed."""
        return self.problem.name, self.contender.name, " + ".join(self.left_out), self.trial, self.seed


RULES = ("training-domain validation", "held-out-domain validation", "oracle")
KEY = ["problem", "contender", "left_out", "trial", "seed"]


def run_task(task: Task, device: str = "cpu") -> pd.DataFrame:
    """A run of a sweep: a row for the validation images (mean over training domains) and one for each tested domain.

    Columns: `KEY`, family, split, domain, auroc, brier, n (images), settings (JSON), seconds (of training), finished
    (UTC). A network that diverged predicts nothing: one half for each class, AUROC .5.
    """
    problem, contender = task.problem, task.contender
    settings = contender.settings(task.trial)
    strengths = {key: settings[key] for key in contender.strengths}
    augment = problem.augment
    if contender.augment is not None:
        augment = compose(augment, lambda x, generator: contender.augment(x, generator, **strengths))
    frame = run(
        contender.algorithm, problem.load(task.seed), task.left_out, seed=task.seed, name=contender.name,
        steps=problem.steps * contender.passes, width=problem.width, balanced=problem.balanced, augment=augment,
        hyperparameters={key: value for key, value in settings.items() if key not in strengths},
        normalize=contender.normalize, pretrain=contender.pretrain, sees_target=contender.sees_target, device=device,
    )  # fmt: skip
    rows = []
    for (part, domain), images in frame.groupby(["split", "domain"], sort=True):
        y, score = images["y"].to_numpy(), images[["prob_0", "prob_1"]].fillna(0.5).to_numpy()
        rows.append([part, domain, auroc(y, score), brier(y, score), len(images)])
    scores = pd.DataFrame(rows, columns=["split", "domain", "auroc", "brier", "n"])
    inside = scores["split"] == "validation"
    validation = {"split": "validation", "domain": "all sources", **scores[inside][["auroc", "brier"]].mean()}
    validation = pd.DataFrame([{**validation, "n": scores[inside]["n"].sum()}])
    table = pd.concat([validation, scores[~inside]], ignore_index=True).round({"auroc": 6, "brier": 6})
    names = pd.DataFrame([[*task.key, contender.family]] * len(table), columns=[*KEY, "family"])
    seconds = frame["seconds"].iloc[0]
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return pd.concat([names, table], axis=1).assign(settings=json.dumps(settings), seconds=seconds, finished=finished)


# -------------------------------------------------------------------------------------------------- the sweep


def sweep(
    contenders: Sequence[Contender],
    problems: Sequence[Problem],
    path: str | Path,
    *,
    trials: int = 3,
    n_jobs: int | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Every contender on every problem: search ``trials`` settings with seed 0, then repeat the chosen one.

    The search runs each trial without each target, and without the target and its inner domain. The trial chosen by
    training-domain validation is then run with seeds 1, 2, ... The runs are `joblib` tasks, so that
    ``joblib.parallel_config("dask")`` sends them to a cluster. Each is added to the CSV at ``path`` as it ends, with
    its provenance (device, versions, commit); killed and started again, the sweep runs what is missing, and the file
    comes out the same, apart from seconds. Returns its content.
    """
    path = Path(path)
    search = [
        Task(problem, contender, left_out, trial, 0)
        for problem in problems
        for contender in contenders
        if problem.colour or not contender.needs_colour
        for left_out in (problem.left_out() if not contender.sees_target else [(t,) for t in problem.targets])
        for trial in range(trials)
    ]
    results = _run_missing(search, path, n_jobs, device, "search")
    picked = chosen(results, RULES[0]).set_index(["problem", "contender", "domain"])["trial"]
    repeat = [
        task._replace(seed=seed)
        for task in search
        if len(task.left_out) == 1 and task.trial == picked[task.problem.name, task.contender.name, task.left_out[0]]
        for seed in range(1, task.problem.seeds)
    ]
    results = _run_missing(search + repeat, path, n_jobs, device, "repeat")
    results = results.sort_values([*KEY, "split", "domain"], ignore_index=True)
    _write(results, path)
    return results


def _run_missing(tasks: Sequence[Task], path: Path, n_jobs: int | None, device: str | None, title: str) -> pd.DataFrame:
    """Run the tasks that the file lacks, seed by seed in a random order (a fair guess of the time left); all rows."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    n_jobs = n_jobs or (1 if device == "cuda" else joblib.cpu_count())
    finished = read_results(path)
    have = set(finished[KEY].itertuples(index=False, name=None))
    missing = [task for task in tasks if task.key not in have]
    order = sorted(np.random.default_rng(0).permutation(len(missing)), key=lambda i: missing[i].seed)
    jobs = (joblib.delayed(with_one_thread)(run_task, (missing[i], device)) for i in order)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(finished, path)  # without what a kill cut off
    known = provenance(device)
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    bar = tqdm(parallel(jobs), total=len(missing), desc=title, disable=not show_progress())
    for rows in bar:
        rows = rows.assign(**known, rows=len(rows))
        text = rows.to_csv(index=False, header=not path.stat().st_size, lineterminator="\n")
        with path.open("a", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    wanted = {task.key for task in tasks}
    results = read_results(path)
    return results[[key in wanted for key in results[KEY].itertuples(index=False, name=None)]].reset_index(drop=True)


def read_results(path: str | Path) -> pd.DataFrame:
    """The finished runs of a results file, also of one whose writing was cut off; an empty frame where there is none.

    A last line without its end is dropped, and so is a run with fewer rows than its column ``rows`` says.
    """
    path = Path(path)
    text = path.read_text() if path.exists() else ""
    text = text[: text.rfind("\n") + 1]
    if not text:
        return pd.DataFrame(columns=[*KEY, "rows"])
    table = pd.read_csv(StringIO(text), dtype={"commit": str}).round({"auroc": 6, "brier": 6, "seconds": 2})
    complete = table.groupby(KEY)["rows"].transform("size") == table["rows"]
    return table[complete].drop_duplicates([*KEY, "split", "domain"]).reset_index(drop=True)


def _write(results: pd.DataFrame, path: Path) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(results.to_csv(index=False, lineterminator="\n") if len(results) else "")
    os.replace(unfinished, path)


def provenance(device: str) -> dict[str, str]:
    """What made a result: device, versions of Python and torch, commit of the code ("" outside a repository)."""
    cpu = f"{platform.machine()} CPU, {joblib.cpu_count()} cores"
    name = torch.cuda.get_device_name() if device == "cuda" else cpu
    here = Path(__file__).parent
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    versions = f"python {platform.python_version()}, torch {metadata.version('torch').split('+')[0]}"
    return {"device": name, "versions": versions, "commit": git.stdout.strip()}


def chosen(results: pd.DataFrame, rule: str, inner: dict[tuple[str, str], str] | None = None) -> pd.DataFrame:
    """The tested rows, at seed 0, of the trial that one of `RULES` picks for each problem, contender and target.

    The rules are those of `selection`, by AUROC; of equal trials the first. ``inner`` names for each (problem, target)
    the domain that was left out with it, at which held-out-domain validation looks; a contender without such runs (the
    in-domain upper bound) is left out under that rule. The oracle picks on the test domain: cheating, an upper bound.
    """
    columns = ["problem", "contender", "target"]
    searched = results[results["seed"] == 0].sort_values("trial", kind="stable")
    alone = searched[~searched["left_out"].str.contains(" + ", regex=False)]
    alone = alone.assign(target=alone["left_out"])
    if rule == "training-domain validation":
        judged = alone[alone["split"] == "validation"]
    elif rule == "oracle":
        judged = alone[alone["split"] == "test"]
    elif rule == "held-out-domain validation":
        if inner is None:
            raise ValueError(f"inner=None: {rule} needs the domain left out with each (problem, target)")
        pairs = [(p, target, held, " + ".join(sorted([target, held]))) for (p, target), held in inner.items()]
        pairs = pd.DataFrame(pairs, columns=["problem", "target", "domain", "left_out"])
        judged = searched.merge(pairs, on=["problem", "domain", "left_out"]).sort_values("trial", kind="stable")
    else:
        raise ValueError(f"rule={rule!r}: use one of {', '.join(RULES)}")
    judged = judged.reset_index(drop=True)
    best = judged.loc[judged.groupby(columns)["auroc"].idxmax(), [*columns, "trial"]]
    picked = alone[alone["split"] == "test"].merge(best, on=[*columns, "trial"])
    return picked.sort_values(columns, ignore_index=True).drop(columns="target")
