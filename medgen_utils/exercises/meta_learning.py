"""The checks of the exercises meta.1 to meta.3. Chapter: meta_learning."""

from functools import partial

import numpy as np
import torch
from scipy import optimize

from medgen_utils.exercises.feedback import Asked, NotYet, described, exercise, numbers, tensor
from medgen_utils.meta_learning.two_weights import auroc_at, draw_hospital, rehearsed, rehearsed_risk


@exercise(
    "meta.1",
    first_step="take the trial step, then ask for the gradient there.",
    returns="a tensor of two numbers",
    hints=(
        "Two gradients are added: one of the virtual training hospital, one of the virtual test hospital.",
        "`gradient` is called twice: at w, and at the place to which the trial step leads.",
    ),
)
def first_order(asked: Asked) -> str:
    a, b, w = draw_hospital(0.95, 0), draw_hospital(0.55, 1), torch.tensor([0.2, 0.6], dtype=torch.float64)
    given = tensor(asked(w, a, b, 2.0, 0.5), (2,))
    if torch.allclose(given, rehearsed(w, a, b, 2.0, beta=0.5)[1]):
        return "This is the exact gradient: leave the Hessian out."
    if torch.allclose(given, rehearsed(w, a, b, 0.0, beta=0.5, first_order=True)[1]):
        return "The gradient of G must be taken after the trial step, not at w."
    for step, beta in ((2.0, 0.5), (0.5, 1.0)):
        given = tensor(asked(w, a, b, step, beta), (2,))
        if not torch.allclose(given, rehearsed(w, a, b, step, beta=beta, first_order=True)[1]):
            return f"With alpha {step} and beta {beta} this is another gradient: which hospital is each part taken at?"
    return "Correct."


@exercise(
    "meta.2",
    first_step="shuffle the positions with `rng` and cut the list in two.",
    returns="two lists of positions",
    hints=(
        "How many may be held out at most, so that one is left to train on?",
        "`rng.permutation` shuffles positions; where there is only one, say so with an error instead of a split.",
    ),
)
def honest_split(asked: Asked) -> str:
    rng = np.random.default_rng(0)
    for n_domains, wanted in ((2, 2), (3, 1), (5, 9), (5, 2)):
        train, test = _two_lists(asked(n_domains, wanted, rng))
        if not train or not test:
            return f"{n_domains} domains, {wanted} held out: one side is empty. Hold fewer out where you must."
        if sorted([*train, *test]) != list(range(n_domains)):
            return f"{n_domains} domains: every domain must be on exactly one side, got {train} and {test}."
    if len(test) != 2:
        return f"5 domains, 2 held out: {len(test)} came back on the side of the test."
    if len({tuple(_two_lists(asked(3, 1, rng))[1]) for _ in range(30)}) < 3:
        return "Every domain should have its turn: is the draw random?"
    try:
        asked(1, 1, rng)
    except NotYet as stopped:
        if isinstance(stopped.error, ValueError):
            return "Correct."
    return "With one domain there is nothing to rehearse: raise a ValueError that says so."


def _two_lists(given) -> tuple[list[int], list[int]]:
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(hasattr(side, "__len__") for side in given):
        raise NotYet(f"Two lists of positions are asked for, and {described(given)} came back.")
    train, test = ([int(position) for position in side] for side in given)
    return train, test


@exercise(
    "meta.3",
    first_step="choose three numbers from 0 to 1.",
    returns="three numbers from 0 to 1",
    hints=(
        "Rehearsal turns away from what the training hospitals disagree about. When is that a loss?",
        "Let the training hospitals disagree about a marker that is right at the unseen one.",
    ),
    by_value=True,
)
def misleading(asked: Asked) -> str:
    agreements = numbers(asked(), 3)
    if not all(0 <= share <= 1 for share in agreements):
        return f"Three shares from 0 to 1 are asked for, got {agreements}."
    one, other, unseen = (draw_hospital(agreement, seed) for seed, agreement in enumerate(agreements))
    aurocs = []
    for step in (0.0, 4.0):
        risk = partial(_risk_of_list, one=one, other=other, step=step)
        point = torch.from_numpy(optimize.minimize(risk, np.ones(2), method="Nelder-Mead").x)
        aurocs.append(auroc_at(point, unseen))
    said = f"ERM reaches an AUROC of {aurocs[0]:.3f} at the unseen hospital and MLDG {aurocs[1]:.3f}"
    if aurocs[1] < aurocs[0] - 0.001:
        return f"Correct: {said}."
    return f"{said}, which is no worse. Where would a marker that MLDG gives up have helped?"


def _risk_of_list(w: np.ndarray, **where) -> float:
    return rehearsed_risk(torch.from_numpy(w), **where).item()
