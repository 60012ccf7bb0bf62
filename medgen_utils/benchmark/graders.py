"""One expert teaches, others judge: networks trained on the votes of three experts on mitoses. Chapter: concept_shift.

The runs are long, so the evidence store keeps what each network said of its test cells (``graders.npz``); `fill` trains
what a work folder lacks, `pack` brings it into the store, `read` gives the tidy frame with a row for each judge.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from medgen_utils import concept_shift
from medgen_utils.benchmark.evidence import path_of
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.benchmark.wrong_labels import ROBUST, SETTINGS, robust
from medgen_utils.domains import DomainDataset, split
from medgen_utils.evaluation import Interval, auroc, metrics_by, with_repeats
from medgen_utils.evaluation.predictions import patients_of
from medgen_utils.machine import run_side_by_side
from medgen_utils.training import ERM, build, fit, flips_and_turns, predict_probabilities

FILE = "graders.npz"
EXPERTS = ("expert 1", "expert 2", "expert 3")
TEACHERS = (*EXPERTS, "majority", "vote shares", "Dawid-Skene")
PANELS = {"any of 3": 1, "majority": 2, "all 3": 3}
"""Judges made of all three: at least so many votes for atypical."""
METHODS = ("ERM", *ROBUST, "ERM, twice the steps")
TRAINING = {"steps": 1000, "learning_rate": 1e-2, "width": 8}
PARTS = (0.55, 0.15, 0.3)  # of the slides: training, choice of the setting, test


class Lesson(NamedTuple):
    """One training: who teaches, which method learns, which of its settings, and the seed of slides and weights."""

    teacher: str
    method: str
    setting: int
    seed: int

    @property
    def file(self) -> str:
        """The name under which a work folder keeps the lesson."""
        return "--".join(str(part).replace(" ", "_") for part in self) + ".npz"


def plan(seeds: Sequence[int]) -> list[Lesson]:
    """All lessons of these seeds, seed by seed, so that what is finished can be compared."""
    crew = [(method, setting) for method in ROBUST for setting in range(SETTINGS)]
    alone = [("ERM", 0), ("ERM, twice the steps", 0)]
    return [
        Lesson(teacher, method, setting, seed)
        for seed in seeds
        for teacher in TEACHERS
        for method, setting in ([*alone, *crew] if teacher in EXPERTS else alone[:1])
    ]


def lesson_data(teacher: str, cells: DomainDataset, votes: np.ndarray) -> tuple[DomainDataset, dict | None]:
    """Cells with the labels of one of `TEACHERS`, and the table of `concept_shift.SoftLabels` where they are soft.

    votes (n, 3): those of the cells, in their order.
    """
    if teacher in EXPERTS:
        return replace(cells, y=torch.as_tensor(votes[:, EXPERTS.index(teacher)])), None
    if teacher == "majority":
        return replace(cells, y=torch.as_tensor(concept_shift.majority_vote(votes, 2))), None
    if teacher == "vote shares":
        soft, table = concept_shift.with_soft_labels(cells, concept_shift.vote_shares(votes, 2))
    elif teacher == "Dawid-Skene":
        soft, table = concept_shift.with_soft_labels(cells, concept_shift.dawid_skene(votes, 2).posterior)
    else:
        raise ValueError(f"no teacher {teacher!r}: choose from {TEACHERS}")
    return soft, {"table": table}


def teach(
    lesson: Lesson, cells: DomainDataset, votes: np.ndarray, steps: int = TRAINING["steps"],
    width: int = TRAINING["width"],
) -> dict:  # fmt: skip
    """Train one network and let it speak about the test slides.

    Returns index and log odds of atypical of the test cells, the AUROC on the held-back cells by the teacher's own
    labels (by the majority for soft ones), and what was done. Batches are balanced over scanners, not over classes: a
    strict expert may teach strictness. The matrix that forward correction is told comes from the votes of all experts
    on the training slides (`concept_shift.dawid_skene`), more than one teacher could know.
    """
    train, held_back, test = split(cells, lesson.seed, PARTS)
    labelled, table = lesson_data(lesson.teacher, train, votes[train.index])
    algorithm, parameters = ERM, {}
    if table:
        algorithm, parameters = concept_shift.SoftLabels, table
    elif lesson.method in ROBUST:
        graders = concept_shift.dawid_skene(votes[train.index], 2)
        confusion = graders.confusion[EXPERTS.index(lesson.teacher)]
        wrong = float(1 - graders.prevalence @ confusion.diagonal())
        algorithm, parameters = robust(lesson.method, confusion, wrong, lesson.setting)
    model = build(algorithm, labelled, seed=lesson.seed, width=width, hyperparameters=parameters)
    n_steps = 2 * steps if lesson.method == "ERM, twice the steps" else steps
    how = {"learning_rate": TRAINING["learning_rate"], "augment": flips_and_turns, "balanced": False}
    took = fit(model, labelled, steps=n_steps, seed=lesson.seed, device="cpu", **how).seconds
    own = held_back if table else lesson_data(lesson.teacher, held_back, votes[held_back.index])[0]
    validation = auroc(own.y.numpy(), predict_probabilities(model, held_back.x)[:, 1])
    p = np.clip(predict_probabilities(model, test.x), 1e-12, None)
    return {
        "index": test.index.numpy().astype(np.int16),
        "log_odds": (np.log(p[:, 1]) - np.log(p[:, 0])).astype(np.float16),
        "about": {
            **lesson._asdict(), "validation": round(float(validation), 6), "steps": n_steps, "width": width,
            "seconds": round(took, 1), "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **provenance("cpu"),
        },
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ work folder, store


def fill(
    folder: str | Path, cells: DomainDataset, votes: np.ndarray, lessons: Sequence[Lesson], n_jobs: int | None = None
) -> int:
    """Train the lessons that the work folder lacks, a small file each as it ends; how many these were."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [lesson for lesson in lessons if not (folder / lesson.file).exists()]
    jobs = [(lesson, cells, votes) for lesson in missing]
    for lesson, said in zip(missing, run_side_by_side(teach, jobs, n_jobs=n_jobs, device="cpu"), strict=True):
        unfinished = folder / f"{lesson.file}.part"
        with unfinished.open("wb") as stream:
            np.savez(stream, index=said["index"], log_odds=said["log_odds"], about=json.dumps(said["about"]))
        unfinished.replace(folder / lesson.file)
    return len(missing)


def pack(folder: str | Path, path: str | Path) -> int:
    """The lessons of a work folder as one file of the store; how many these are.

    A method of which a setting is still missing for a teacher and seed waits: the choice would not be one.
    """
    lessons = [_read(file) for file in sorted(Path(folder).glob("*.npz"))]
    groups = Counter(_group(lesson["about"]) for lesson in lessons)
    kept = [
        lesson
        for lesson in lessons
        if groups[_group(lesson["about"])] == (SETTINGS if lesson["about"]["method"] in ROBUST else 1)
    ]
    arrays = {f"index_{lesson['about']['seed']}": lesson["index"] for lesson in kept}
    arrays |= {f"log_odds_{i}": lesson["log_odds"] for i, lesson in enumerate(kept)}
    packed = io.BytesIO()
    np.savez_compressed(packed, lessons=np.array(json.dumps([lesson["about"] for lesson in kept])), **arrays)
    Path(path).write_bytes(packed.getvalue())
    return len(kept)


def _group(about: dict) -> tuple:
    return about["teacher"], about["method"], about["seed"]


def _read(file: Path) -> dict:
    with np.load(file) as one:
        return {"index": one["index"], "log_odds": one["log_odds"], "about": json.loads(str(one["about"]))}


def judges(votes: np.ndarray) -> dict[str, np.ndarray]:
    """Votes (n, 3) -> the labels (n,) of each judge: the three experts, then the `PANELS`."""
    return dict(zip(EXPERTS, votes.T, strict=True)) | {
        name: (votes.sum(axis=1) >= least).astype(int) for name, least in PANELS.items()
    }


def read(cells: DomainDataset, votes: np.ndarray, path: Path | None = None) -> pd.DataFrame:
    """The stored lessons as a tidy frame: a row for each network, test cell and judge (the column ``domain``).

    Of each method the setting that the teacher's own labels of held-back cells chose, for each teacher and seed anew.
    Columns beside those of `evaluation.predictions_frame`: teacher, setting, steps, seconds.
    ``path``: another file than the store's. Chapter: concept_shift.
    """
    with np.load(path or path_of(FILE)) as file:
        lessons = pd.DataFrame(json.loads(str(file["lessons"])))
        best = lessons.sort_values("validation", kind="stable").groupby(["teacher", "method", "seed"]).tail(1)
        parts = [
            spoken(lesson, file[f"index_{lesson.seed}"].astype(int), file[f"log_odds_{i}"].astype(float), cells, votes)
            for i, lesson in zip(best.index, best.itertuples(), strict=True)
        ]
    order = {name: i for i, name in enumerate((*TEACHERS, *METHODS))}
    frame = pd.concat(parts)
    return frame.sort_values(["teacher", "algorithm"], key=lambda c: c.map(order), kind="stable", ignore_index=True)


def spoken(about, index: np.ndarray, log_odds: np.ndarray, cells: DomainDataset, votes: np.ndarray) -> pd.DataFrame:
    """What one network said of cells (positions ``index``), a row for each cell and judge."""
    p = 1 / (1 + np.exp(-log_odds))
    frame = pd.DataFrame({
        "run": f"{about.teacher}/{about.method}/{about.seed}", "teacher": about.teacher, "algorithm": about.method,
        "setting": about.setting, "seed": about.seed, "protocol": "slides", "split": "test", "steps": about.steps,
        "seconds": about.seconds, "group": np.array(patients_of(cells))[index], "index": index,
        "pred": (p > 0.5).astype(int), "prob_0": 1 - p, "prob_1": p,
    })  # fmt: skip
    return pd.concat([frame.assign(domain=judge, y=y[index]) for judge, y in judges(votes).items()], ignore_index=True)


# ------------------------------------------------------------------------------------------------ what the frame says


def line(frame: pd.DataFrame) -> str:
    """One line of small print on the lessons of a frame of `read`."""
    runs = frame.drop_duplicates("run")
    steps = " or ".join(f"{value:,}" for value in sorted(set(runs["steps"])))
    seeds = f"{runs['seed'].nunique()} seeds, each with other test slides"
    return f"evidence store, graders · {seeds} · {steps} steps · width {TRAINING['width']}, 28 px"


def marks(frame: pd.DataFrame, by: Sequence[str] = ("teacher", "domain")) -> pd.DataFrame:
    """AUROC of each group of ``by`` (with the judge, "domain", among them): the columns by, value, low, high.

    Mean over runs; the 95 % interval is over slides and seeds (`evaluation.with_repeats`).
    """
    by = list(by)
    rows = []
    seeds = per_seed(frame, by).set_index(by)["value"]
    for row in metrics_by(frame, by).to_dict("records"):
        key = tuple(row[name] for name in by)
        repeats = seeds.loc[[key if len(key) > 1 else key[0]]].to_numpy()
        rows.append([*key, *with_repeats(Interval(row["value"], row["low"], row["high"]), repeats)])
    return pd.DataFrame(rows, columns=[*by, "value", "low", "high"])


def per_seed(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """AUROC of each group of ``by`` and seed, mean over its runs: the columns by, seed, value."""
    keys = list(dict.fromkeys([*by, "domain", "seed", "run"]))
    rows = [
        [*key, auroc(part["y"].to_numpy(), part["prob_1"].to_numpy())]
        for key, part in frame.groupby(keys, sort=False, observed=True)
    ]
    table = pd.DataFrame(rows, columns=[*keys, "value"])
    return table.groupby([*by, "seed"], sort=False)["value"].mean().reset_index()


def gains(frame: pd.DataFrame, methods: Sequence[str], judges: Sequence[str]) -> pd.DataFrame:
    """Each further method minus the first, by judge: columns method, judge, value, low, high; over slides and seeds.

    frame: one network for each method (the column ``algorithm``) and seed, on the same slides; seeds that lack one of
    the methods are left out.
    """
    frame = frame[frame["algorithm"].isin(methods) & frame["domain"].isin(judges)]
    whole = frame.groupby("seed")["algorithm"].nunique() == len(methods)
    result = Result(frame[frame["seed"].map(whole)], tuple(methods), ABOUT, unit="judge")
    table = result.differences_by_domain().rename(columns={"domain": "judge"})
    order = {judge: i for i, judge in enumerate(judges)}
    return table.sort_values("judge", key=lambda c: c.map(order), kind="stable", ignore_index=True)


ABOUT = About(TRAINING["steps"], "", "", 0, "evidence store")


def gains_of_robust(frame: pd.DataFrame) -> pd.DataFrame:
    """`gains` over plain training with each expert as the teacher in turn, judged by the two others.

    Columns teacher, judge, pair ("1, judged by 2") and seeds (their number) beside those of `gains`. Only seeds in
    which every expert has taught all robust methods count, and of `METHODS` those that have them: a store under way may
    lack some.
    """
    tables = []
    alone = frame[frame["teacher"].isin(EXPERTS)]
    whole = alone.groupby(["algorithm", "seed"])["teacher"].nunique() == len(EXPERTS)
    have = {method: {seed for name, seed in whole[whole].index if name == method} for method in METHODS}
    seeds = set.intersection(*(have[method] for method in ROBUST if have[method]))
    methods = [method for method in METHODS if seeds <= have[method]]
    frame = alone[alone["seed"].isin(seeds)]
    for teacher in EXPERTS:
        others = [judge for judge in EXPERTS if judge != teacher]
        table = gains(frame[frame["teacher"] == teacher], methods, others).assign(teacher=teacher, seeds=len(seeds))
        tables.append(table.assign(pair=f"{teacher[-1]}, judged by " + table["judge"].str[-1]))
    return pd.concat(tables, ignore_index=True)


def strictness(frame: pd.DataFrame) -> pd.DataFrame:
    """Who judges, how generously and with what mark: a row a judge and seed, columns judge, seed, share, value.

    share: of the test cells, called atypical by that judge; value: AUROC, mean over the networks of the frame.
    """
    shares = frame.groupby(["domain", "seed"], sort=False)["y"].mean().rename("share").reset_index()
    return per_seed(frame, ["domain"]).merge(shares, on=["domain", "seed"]).rename(columns={"domain": "judge"})


def strictness_or_noise(table: pd.DataFrame, strict: str, generous: str) -> pd.DataFrame:
    """Why one judge's mark is higher than another's: a row a seed, columns total, strictness, noise.

    table: of `strictness`. The three panels hold the same experts, with the line at one, two and three votes; along
    their marks, joined by straight lines over the share, strictness alone changes. strictness is that line at the two
    judges' shares, noise what is left of the difference.
    """
    rows = {}
    for seed, part in table.groupby("seed"):
        at = part.set_index("judge")
        panel = at.loc[list(PANELS)].sort_values("share")
        along = np.interp(at.loc[[strict, generous], "share"], panel["share"], panel["value"])
        total = at.loc[strict, "value"] - at.loc[generous, "value"]
        rows[seed] = [total, along[0] - along[1], total - (along[0] - along[1])]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["total", "strictness", "noise"]).rename_axis("seed")


def kappa_with(part: pd.DataFrame, share: float | None = None) -> float:
    """Kappa between one judge and one network, which calls the ``share`` of the cells with the highest scores atypical.

    Without a share the network keeps its own line, one half.
    """
    p = part["prob_1"].to_numpy()
    line = 0.5 if share is None else np.quantile(p, 1 - share)
    return concept_shift.cohen_kappa(part["y"].to_numpy(int), (p >= line).astype(int))


def ceilings(frame: pd.DataFrame, votes: np.ndarray, consensus: concept_shift.Consensus) -> pd.DataFrame:
    """Kappa with each expert, a row for each of: the other experts, a model that knew the truth, our networks.

    Columns expert, who, value. The truth and the experts' errors are those of ``consensus``; the networks are those
    that the majority taught, a row a seed, and call as many cells atypical as the majority does.
    """
    y, said = concept_shift.simulate_votes(consensus.confusion, consensus.prevalence[1], 200_000, seed=3)
    share, rows = float(concept_shift.majority_vote(votes, 2).mean()), []
    for g, expert in enumerate(EXPERTS):
        others = [k for k in range(len(EXPERTS)) if k != g]
        rows += [[expert, "another expert", concept_shift.cohen_kappa(votes[:, g], votes[:, k])] for k in others]
        rows.append([expert, "who knew the truth", concept_shift.cohen_kappa(said[:, g], y)])
        ours = frame[(frame["teacher"] == "majority") & (frame["domain"] == expert)]
        rows += [[expert, "our network", kappa_with(part, share)] for _, part in ours.groupby("seed")]
    return pd.DataFrame(rows, columns=["expert", "who", "value"])
