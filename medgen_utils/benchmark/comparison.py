"""A few methods side by side in one line, live: on the book's images or on your own. Chapters: all remedies.

``compare(["ERM", "CORAL"], hospitals)`` trains here what the evidence store holds for the book's own data;
``compare(hospitals)`` takes a short list of methods, one of most families. With ``keep=`` a folder holds what is
finished, so that a comparison that was stopped goes on where it was.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from medgen_utils.benchmark.entries import CONTENDERS, Contender, contender_of
from medgen_utils.benchmark.kept import fingerprint, hashed, load_run, save_run
from medgen_utils.benchmark.protocol import run_contender
from medgen_utils.benchmark.result import About, Result, score_of
from medgen_utils.benchmark.runs import provenance, rise
from medgen_utils.domains import DomainDataset, shared_groups
from medgen_utils.evaluation import UndefinedMetric, probabilities
from medgen_utils.machine import run_side_by_side, training_device, with_one_thread
from medgen_utils.tables import did_you_mean
from medgen_utils.training import Augmentation, flips

SHORT_LIST = (
    "ERM", "weight averaging", "per-image standardization", "intensity jitter", "CORAL", "reference: target included",
)  # fmt: skip


def compare(
    methods: Sequence[str | Contender] | DomainDataset,
    dataset: DomainDataset | None = None,
    *,
    target: str | Sequence[str | tuple[str, ...]] | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    trials: int = 1,
    metric: str = "auroc",
    unit: str = "domain",
    augment: Augmentation | None = flips,
    balanced: bool = True,
    width: int = 16,
    backbone: Callable[[], nn.Module] | None = None,
    validation_share: float = 0.1,
    evaluations: int = 0,
    keep: str | Path | None = None,
    n_jobs: int | None = None,
) -> Result:
    """Train each method without each target, with each seed, and test it on the target: a `Result`.

    methods: names of `entries.CONTENDERS`, or contenders of your own; the first is the baseline. A data set alone is
    compared by the `SHORT_LIST`. target: a domain, several that are left out one after the other (a tuple among them:
    together), or None for every domain in turn. ``trials`` settings of each method are tried, the defaults first, and
    the one with the best score on held-back images of the training domains is taken, for each target and seed anew.
    ``evaluations``: how often the in-domain score is taken on the way, for ``result.rises``.
    ``backbone()`` makes another featurizer than the small network of this ``width``.
    ``unit``: what a domain is in words, "hospital" only where each is one. ``keep``: a folder for finished runs, which
    are not run again. The runs go side by side, one thread each.
    ValueError for an unknown method or domain, a method named twice, and a data set of one domain.
    """
    if isinstance(methods, DomainDataset):
        methods, dataset = SHORT_LIST, methods
    if dataset is None:
        raise ValueError("compare() got methods and no data set: compare(methods, dataset)")
    if homes := shared_groups(dataset):
        group, where = next(iter(homes.items()))
        warnings.warn(
            f"{len(homes)} group(s) of {dataset.info.name} have images in several domains, the first {group!r} in "
            f"{', '.join(where)}: with one of them left out they still train, so the scores are too good",
            stacklevel=2,
        )
    plan = Comparison(
        dataset, contenders(methods), targets_of(dataset, target), tuple(seeds), trials, steps, augment, balanced,
        width, backbone, validation_share, evaluations, None if keep is None else Path(keep),
    )  # fmt: skip
    return plan.run(n_jobs, metric, unit)


def contenders(methods: Sequence[str | Contender]) -> tuple[Contender, ...]:
    """The contenders of these names, or as they are given. ValueError for an unknown name, and for one given twice."""
    crew = tuple(method if isinstance(method, Contender) else contender_of(method) for method in methods)
    names = [contender.name for contender in crew]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the methods name {twice} twice: name each once, the baseline first")
    if not crew:
        raise ValueError(f"no method is named: choose from {[contender.name for contender in CONTENDERS]}")
    return crew


def targets_of(
    dataset: DomainDataset, target: str | Sequence[str | tuple[str, ...]] | None = None
) -> tuple[str | tuple[str, ...], ...]:
    """The domains to leave out one after the other, those in a tuple together: as named, or every one with images.

    ValueError for an unknown domain, and where a single domain leaves nothing to train on.
    """
    present = [dataset.domain_names[number] for number in dataset.domain.unique().tolist()]
    if len(present) < 2:
        raise ValueError(
            f"{dataset.info.name} has the one domain {present[0]!r}: without it nothing is left to train on. "
            "A domain is a hospital, a scanner, a year: whatever a model should carry over"
        )
    names = present if target is None else [target] if isinstance(target, str) else list(dict.fromkeys(target))
    each = [name for item in names for name in ([item] if isinstance(item, str) else item)]
    if unknown := [name for name in each if name not in present]:
        hint = did_you_mean(unknown[0], present) or f"choose from {present}"
        raise ValueError(f"no domain {unknown[0]!r} in {dataset.info.name}: {hint}")
    return tuple(names)


class Run(NamedTuple):
    """One training of a comparison."""

    contender: Contender
    target: str | tuple[str, ...]
    trial: int
    seed: int


@dataclass(frozen=True)
class Comparison:
    """Contenders x targets x seeds x trials on one data set, and how they are trained; see `compare`."""

    dataset: DomainDataset
    crew: tuple[Contender, ...]
    targets: tuple[str | tuple[str, ...], ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    trials: int = 1
    steps: int = 400
    augment: Augmentation | None = flips
    balanced: bool = True
    width: int = 16
    backbone: Callable[[], nn.Module] | None = None
    validation_share: float = 0.1
    evaluations: int = 0
    keep: Path | None = None

    def __post_init__(self) -> None:
        if self.steps < 1 or self.trials < 1 or not self.seeds:
            raise ValueError(f"steps={self.steps}, trials={self.trials}, seeds={self.seeds}: at least one of each")
        coloured = [contender.name for contender in self.crew if contender.needs_colour]
        if coloured and self.dataset.x.shape[1] == 1:
            raise ValueError(f"{coloured[0]!r} needs colour, and {self.dataset.info.name} is grey: leave it out")

    def runs(self) -> list[Run]:
        """All of them, in an order in which comparisons are complete early."""
        return [
            Run(contender, target, trial, seed)
            for seed in self.seeds
            for target in self.targets
            for contender in self.crew
            for trial in range(self.trials)
        ]

    def missing(self) -> list[Run]:
        """The runs that are not in the folder ``keep``."""
        files = self._files()
        return [run for run in self.runs() if run not in files or self._kept(run, files[run]) is None]

    def expected_seconds(self, runs: Sequence[Run], probe: int = 10) -> float:
        """Seconds of one core that ``runs`` take, from ``probe`` steps of each method on this machine."""
        cost = {}
        for contender in dict.fromkeys(run.contender for run in runs):
            first = next(run for run in runs if run.contender is contender)
            for _ in range(2):  # the first one warms up
                began = time.perf_counter()
                frame = with_one_thread(partial(self._train, evaluations=0), (first, probe))
                total, training = time.perf_counter() - began, frame["seconds"].iloc[0]
            cost[contender.name] = total - training + training * self._steps(contender) / probe
        return sum(cost[run.contender.name] for run in runs)

    def run(self, n_jobs: int | None = None, metric: str = "auroc", unit: str = "domain") -> Result:
        """Train what is missing, side by side, and put everything together."""
        files = self._files()
        found = {run: self._kept(run, files[run]) for run in files}
        missing = [run for run in self.runs() if found.get(run) is None]
        jobs = [(run, files.get(run)) for run in missing]
        if jobs:
            made = run_side_by_side(self._train_and_keep, jobs, n_jobs=n_jobs, title="runs")
            found |= zip(missing, made, strict=True)
        return self._result([found[run] for run in self._chosen(found)], metric, unit, found)

    def _steps(self, contender: Contender) -> int:
        return round(self.steps * contender.passes)

    def _files(self) -> dict[Run, Path]:
        """Where each run is kept; nothing without a folder."""
        if self.keep is None:
            return {}
        images = fingerprint(self.dataset)
        options = self._options(self.steps)
        files = {}
        for run in self.runs():
            how = run.contender.settings(run.trial) | options | {"images": images, "passes": run.contender.passes}
            how |= {key: getattr(run.contender, key) for key in ("algorithm", "pretrain", "sees_target", "normalize")}
            words = [run.contender.name, _left_out(run), f"seed {run.seed}", f"trial {run.trial}"]
            plain = "".join(c if c.isalnum() or c in " -" else "_" for c in "--".join(words))[:120]
            files[run] = self.keep / f"{plain}--{hashed(how | {'run': words})}.npz"
        return files

    def _options(self, steps: int) -> dict:
        """Of `protocol.run`; a batch has two images or more of each training domain."""
        domains = len(self.dataset.domain.unique())
        return {
            "steps": steps, "augment": self.augment, "balanced": self.balanced, "width": self.width,
            "backbone": self.backbone, "validation_share": self.validation_share, "evaluations": self.evaluations,
            "batch_size": max(48, 2 * domains),
        }  # fmt: skip

    def _train(self, run: Run, steps: int, **other: int) -> pd.DataFrame:
        """The predictions of a run; a network that diverged gives every class the same probability."""
        settings = run.contender.settings(run.trial)
        options = self._options(steps) | other
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetric)  # a few held-back images may lack a class
            warnings.filterwarnings("ignore", ".*have images in several domains")  # `compare` says so, once
            frame = run_contender(run.contender, self.dataset, run.target, settings, seed=run.seed, **options)
        columns = [column for column in frame.columns if column.startswith("prob_")]
        frame[columns] = frame[columns].fillna(1 / len(columns))
        return frame

    def _train_and_keep(self, run: Run, path: Path | None) -> pd.DataFrame:
        frame = self._train(run, self._steps(run.contender))
        if path is not None:
            save_run(frame, path)
        return frame

    def _kept(self, run: Run, path: Path) -> pd.DataFrame | None:
        label = {"name": run.contender.name, "seed": run.seed, "protocol": f"leave out {_left_out(run)}"}
        return load_run(path, self.dataset, **label)

    def _chosen(self, found: dict[Run, pd.DataFrame]) -> list[Run]:
        """Of the trials of a method, target and seed the one that scores best inside; of equal ones the first."""
        best: dict[tuple, Run] = {}
        scores = {run: _score_inside(found[run]) if self.trials > 1 else 0.0 for run in self.runs()}
        for run, score in scores.items():
            first = best.setdefault((run.contender.name, run.target, run.seed), run)
            if score > scores[first]:
                best[run.contender.name, run.target, run.seed] = run
        return list(best.values())

    def _result(self, frames: list[pd.DataFrame], metric: str, unit: str, found: dict) -> Result:
        curves = [(frame["algorithm"].iloc[0], frame.attrs.get("curve", [])) for frame in frames]
        rises = pd.DataFrame(
            [[name, rise(" ".join(map(str, curve)))] for name, curve in curves if len(curve) > 1],
            columns=["method", "rise"],
        )
        took = sum(frame["seconds"].iloc[0] for frame in found.values())
        for frame in frames:
            frame.attrs.clear()  # curves that differ; concat would compare them
        frame = pd.concat(frames, ignore_index=True)
        made = provenance(training_device())
        trained = tuple(sorted({self._steps(contender) for contender in self.crew}))
        about = About(trained, made["versions"], made["device"], took, credit=(self.dataset.info,))
        inside = frame[frame["split"] == "validation"].reset_index(drop=True)
        test = frame[frame["split"] == "test"].reset_index(drop=True)
        names = tuple(contender.name for contender in self.crew)
        gained = rises.groupby("method")["rise"].mean().reindex(names).dropna()
        return Result(test, names, about, metric, unit, inside, self.dataset.sites(), gained)


def _left_out(run: Run) -> str:
    return run.target if isinstance(run.target, str) else " and ".join(run.target)


def _score_inside(frame: pd.DataFrame) -> float:
    """Mean AUROC of a run over its training domains, on held-back images; 0 where none has two classes."""
    inside = frame[frame["split"] == "validation"]
    found = [score_of("auroc", rows["y"].to_numpy(), probabilities(rows)) for _, rows in inside.groupby("domain")]
    known = [value for value in found if not np.isnan(value)]
    return float(np.mean(known)) if known else 0.0
