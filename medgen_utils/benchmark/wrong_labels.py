"""Wrong labels where the truth is known: at the synthetic clinic. Chapter: concept_shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from medgen_utils import clinic, concept_shift
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import provenance
from medgen_utils.evaluation import predictions_frame
from medgen_utils.machine import map_runs, training_device
from medgen_utils.training import ERM, build, fit, flips_and_turns, predict_probabilities

ROBUST = ("forward correction", "generalized cross-entropy", "co-teaching")
SETTINGS = 2  # of each robust method
STEPS = 200  # enough: the networks learn the flips by heart


def robust(method: str, confusion: Sequence[Sequence[float]], wrong: float, setting: int = 0) -> tuple[type[ERM], dict]:
    """Algorithm and hyper-parameters of a method that is told a grader's matrix (k, k) and share of wrong labels.

    setting 0 takes what it is told as it is, 1 half of it: a matrix half-way to no errors, half the images forgotten;
    of generalized cross-entropy 0 is q = .7 and 1 is q = .3. ValueError for another method or setting.
    """
    if setting not in range(SETTINGS):
        raise ValueError(f"setting={setting}: choose one of {list(range(SETTINGS))}")
    matrix, share = np.asarray(confusion, float), (1.0, 0.5)[setting]
    blended = share * matrix + (1 - share) * np.eye(len(matrix))
    known = {
        "ERM": (ERM, {}),
        "forward correction": (concept_shift.ForwardCorrection, {"transition": blended.tolist()}),
        "generalized cross-entropy": (concept_shift.GeneralizedCrossEntropy, {"q": (0.7, 0.3)[setting]}),
        "co-teaching": (concept_shift.CoTeaching, {"forget_rate": share * wrong}),
    }
    if method not in known:
        raise ValueError(f"no method {method!r}: choose from {list(known)}")
    return known[method]


def flipped(
    rate: float, method: str, seed: int, told: float | None = None, steps: int = STEPS, width: int = 16
) -> pd.DataFrame:
    """At the clinic: train on 3 x 60 patients of whose labels a share is flipped, test on the truth of 600 new ones.

    ``told``: the share of flips that the method believes in, the true one unless given. Returns the tidy frame.
    """
    believed = rate if told is None else told
    *sources, new = clinic.grader_hospitals(0.0, label_flips=rate)
    train = clinic.make_clinic(sources, 60, seed=seed)
    test = clinic.make_clinic([new], 600, seed=100 + seed)
    matrix = [[1 - believed, believed], [believed, 1 - believed]]
    algorithm, parameters = robust(method, matrix, believed)
    model = build(algorithm, train, seed=seed, width=width, hyperparameters=parameters)
    seconds = fit(model, train, steps=steps, seed=seed, augment=flips_and_turns, balanced=False).seconds
    frame = predictions_frame(model, test, name=method, seed=seed, protocol="flips")
    return frame.assign(told=believed, seconds=seconds)


def compare_flipped(rate: float, seeds: Sequence[int], methods: Sequence[str] = ("ERM", *ROBUST), **how: int) -> Result:
    """`flipped` of several methods and seeds, each seed other patients and flips, as a `benchmark.Result`.

    ``how``: steps and width of `flipped`.
    """
    steps = how.get("steps", STEPS)
    frames = map_runs(_one, [(rate, method, seed, how) for seed in seeds for method in methods])
    seconds = sum(frame["seconds"].iloc[0] for frame in frames)
    device = training_device()
    about = About(steps, provenance(device)["versions"], provenance(device)["device"], seconds, credit=(clinic.INFO,))
    return Result(pd.concat(frames, ignore_index=True), tuple(methods), about, unit="hospital")


def points(results: dict[float, Result]) -> pd.DataFrame:
    """The scores of `compare_flipped` at several rates, a row a run: `Result.scores` with the column flips ("20 %")."""
    tables = [result.scores().assign(flips=f"{rate:.0%}".replace("%", " %")) for rate, result in results.items()]
    return pd.concat(tables, ignore_index=True)


def _one(rate: float, method: str, seed: int, how: dict[str, int]) -> pd.DataFrame:
    return flipped(rate, method, seed, **how)


def clinic_graders(
    large_called_malignant: float, label_flips: float, n: int = 3000, seed: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The truth (n,) of the synthetic clinic's lesions, and votes (n, 3) of graders who err in two ways.

    Each takes a large lesion for malignant with the first probability, the habit they share, and then flips what was
    said with the second, each alone.
    """
    random = np.random.default_rng(seed)
    patients = clinic.make_clinic([clinic.Hospital("clinic")], n, seed=seed)
    y = patients.true_y.numpy()
    large = patients.nuisance["radius"].to_numpy() > clinic.LARGE_LESION
    columns = []
    for _ in range(3):
        called = y | (large & (random.random(n) < large_called_malignant))
        columns.append(np.where(random.random(n) < label_flips, 1 - called, called))
    return y, np.stack(columns, axis=1)


def beside_the_truth(cases: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """What Dawid and Skene's method says of graders, beside the truth: a column a case of (truth, votes).

    Rows: mean kappa, sensitivity and specificity as it estimates them, the true specificity, and how often its
    consensus is right.
    """
    rows = {}
    for name, (y, votes) in cases.items():
        found = concept_shift.dawid_skene(votes, 2)
        pairs = concept_shift.pairs_of_graders(votes, np.arange(len(votes)), n_resamples=1)
        rows[name] = {
            "mean kappa": pairs.loc[pairs["measure"] == "kappa", "value"].mean(),
            "sensitivity it estimates": found.confusion[:, 1, 1].mean(),
            "specificity it estimates": found.confusion[:, 0, 0].mean(),
            "true specificity": (votes[y == 0] == 0).mean(),
            "consensus is right": (found.posterior.argmax(1) == y).mean(),
        }
    return pd.DataFrame(rows)


def scored_patients(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """True classes (n,) of new patients of the clinic, and the score (n,) of a network trained on labels without error.

    To judge one score against recorded labels of any quality. Their lesions are harder to tell apart than the training
    hospitals'.
    """
    train = clinic.make_clinic(clinic.grader_hospitals(0.0, 0.0)[:3], 400, seed=0)
    model = build(ERM, train, seed=0, width=16)
    fit(model, train, steps=STEPS, augment=flips_and_turns, seed=0)
    patients = clinic.make_clinic([replace(clinic.Hospital("test"), irregularity=0.2)], n, seed=77)
    return patients.true_y.numpy(), predict_probabilities(model, patients.x)[:, 1]


def record(y: np.ndarray, flips: float, seed: int = 0) -> np.ndarray:
    """True labels (n,) as careless graders record them: a share of them flipped at random."""
    wrong = np.random.default_rng(seed).random(len(y)) < flips
    return np.where(wrong, 1 - y, y)
