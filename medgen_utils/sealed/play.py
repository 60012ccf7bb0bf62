"""One case from its opening to its score: evidence for points, a conclusion, and what was hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medgen_utils import clinic
from medgen_utils.evaluation import auroc
from medgen_utils.evaluation.delong import placements
from medgen_utils.sealed import cases, networks

BUDGET = 8
PRICES = {"test": 1, "probe": 2, "audit": 2, "labels": 4, "try": 2}
LABELS, REREAD = 20, 20
LEVEL = 0.8  # of the interval that the player commits to
WORST = 0.6  # interval score that earns nothing
SHARES = {"cause": 30, "forecast": 40, "remedy": 30}


def open_case(seed: int) -> Case:
    """The case of a seed, 0 or more; the same on the page of the book."""
    return Case(cases.hide(seed))


def interval_score(low: float, high: float, truth: float, level: float = LEVEL) -> float:
    """Width of an interval, plus 2 / (1 - level) times what the truth lies outside; lower is better, 0 the least.

    Source: Gneiting & Raftery 2007. Chapter: evaluation_protocols.
    """
    return (high - low) + 2 / (1 - level) * (max(0.0, low - truth) + max(0.0, truth - high))


def distance_test(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Kolmogorov and Smirnov's largest distance of two samples' distributions, and its p-value for large samples."""
    at = np.sort(np.concatenate([a, b]))
    both = [np.searchsorted(np.sort(sample), at, side="right") / len(sample) for sample in (a, b)]
    distance = float(np.abs(both[0] - both[1]).max())
    scaled = distance * np.sqrt(len(a) * len(b) / (len(a) + len(b)))
    k = np.arange(1, 101)
    p = float(np.clip(2 * ((-1.0) ** (k - 1) * np.exp(-2 * (k * scaled) ** 2)).sum(), 0, 1)) if scaled > 0.2 else 1.0
    return distance, p


def at_prior(p: np.ndarray, prior: float = 0.5, rounds: int = 100) -> np.ndarray:
    """Probabilities (n,) corrected for another prevalence, which is estimated from them alone, without a label.

    ``prior`` is the share of malignant lesions in training. Source: Saerens, Latinne & Decaestecker 2002.
    Chapter: domain_shift.
    """
    share, corrected = prior, p
    for _ in range(rounds):
        ill, well = p * share / prior, (1 - p) * (1 - share) / (1 - prior)
        corrected = ill / (ill + well)
        share = float(corrected.mean())
    return corrected


def measurements(images: clinic.Clinic) -> dict[str, np.ndarray]:
    """What the probe reads off each image, (n,) each."""
    x = images.x[:, 0].double().numpy()
    mean = x.mean((1, 2))
    spread = x.std((1, 2))
    return {
        "brightness": mean,
        "contrast": spread,
        "grain": np.abs(np.diff(x, axis=2)).mean((1, 2)),
        "dark area": (x < (mean - spread)[:, None, None]).mean((1, 2)),
        "bright corner": (x[:, 2:5, 2:5].min((1, 2)) > 0.85).astype(float),
    }


class Case:
    """A case that is being played: evidence is bought with ``test`` ... ``try_remedy``, ``commit`` ends it.

    ``home`` and ``pool`` are what the player sees: images of the training hospitals with their recorded labels, and
    images of the sealed hospital without. ``spent`` is what was paid, of `BUDGET`; ValueError where nothing is left.
    """

    def __init__(self, hidden: cases.Hidden):
        self.hidden = hidden
        self.home, self.sealed = cases.images(hidden)
        self.pool = self.sealed.subset(np.arange(cases.POOL))
        self.bought: list[str] = []

    @property
    def spent(self) -> int:
        return sum(PRICES[name.split()[0]] for name in self.bought)

    def _pay(self, name: str) -> None:
        price = PRICES[name.split()[0]]
        if name not in self.bought:
            if self.spent + price > BUDGET:
                raise ValueError(f"{name!r} costs {price} and {BUDGET - self.spent} points are left: commit")
            self.bought.append(name)

    def scores(self, images: clinic.Clinic, remedy: str = "none") -> np.ndarray:
        """P(malignant) (n,) of the network as delivered, or with a remedy."""
        if remedy not in cases.REMEDIES:
            raise ValueError(f"remedy={remedy!r}: choose one of {', '.join(cases.REMEDIES)}")
        condition = self.hidden.condition
        if remedy == "consensus" and condition == "graders":
            condition = "plain"  # the same hospitals, read by a panel
        kind = remedy if remedy in networks.KINDS else "erm"
        p = 1 / (1 + np.exp(-networks.scores(kind, condition, images.x)))
        return at_prior(p) if remedy == "prior" else p

    def test(self) -> dict[str, float]:
        """Do the network's answers differ between home and the sealed hospital?"""
        self._pay("test")
        home, pool = self.scores(self.home), self.scores(self.pool)
        distance, p_value = distance_test(home, pool)
        called = {"called at home": float((home > 0.5).mean()), "called there": float((pool > 0.5).mean())}
        return {"distance": distance, "p_value": p_value, **called}

    def probe(self) -> dict[str, tuple[float, float, float]]:
        """Measurements of the images: mean at home, mean there, and their difference in standard deviations."""
        self._pay("probe")
        found, there = {}, measurements(self.pool)
        for name, home in measurements(self.home).items():
            difference = there[name].mean() - home.mean()
            found[name] = (float(home.mean()), float(there[name].mean()), float(difference / max(home.std(), 1e-9)))
        return found

    def audit(self) -> dict[str, int]:
        """Labels of the training hospitals that a panel reads again: how many of how many were recorded otherwise."""
        self._pay("audit")
        picked = np.arange(REREAD) * (len(self.home) // REREAD)
        y, truth = self.home.y.numpy()[picked], self.home.true_y.numpy()[picked]
        return {
            "read again": REREAD,
            "called malignant, benign in truth": int(((y == 1) & (truth == 0)).sum()),
            "called benign, malignant in truth": int(((y == 0) & (truth == 1)).sum()),
        }

    def labels(self) -> dict[str, float]:
        """The truth of some lesions of the sealed hospital: malignant ones, wrong calls, AUROC with its interval."""
        self._pay("labels")
        y, p = self.pool.true_y.numpy()[:LABELS], self.scores(self.pool)[:LABELS]
        found: dict[str, float] = {"malignant": int(y.sum()), "wrong calls": int(((p > 0.5) != (y == 1)).sum())}
        if 2 <= y.sum() <= LABELS - 2:
            placed, ill = placements(y == 1, p), y == 1
            value = float(placed[ill].mean())
            variance = placed[ill].var(ddof=1) / ill.sum() + placed[~ill].var(ddof=1) / (~ill).sum()
            error = 1.96 * float(np.sqrt(variance))
            found |= {"auroc": value, "low": max(0.0, value - error), "high": min(1.0, value + error)}
        return found

    def try_remedy(self, remedy: str) -> dict[str, float]:
        """What can be seen of a remedy without labels there: AUROC at home, and how many answers it turns."""
        with_it = self.scores(self.pool, remedy)
        self._pay(f"try {remedy}")
        turned = (with_it > 0.5) != (self.scores(self.pool) > 0.5)
        y = self.home.y.numpy()
        return {
            "auroc at home": auroc(y, self.scores(self.home, remedy)),
            "without it": auroc(y, self.scores(self.home)),
            "turned there": float(turned.mean()),
            "called there": float((with_it > 0.5).mean()),
        }

    def truth(self) -> dict:
        """The AUROC at the sealed hospital, and the Brier score there with every remedy. Ends the game, for an honest
        player."""
        y = self.sealed.true_y.numpy()
        brier = {name: float(((self.scores(self.sealed, name) - y) ** 2).mean()) for name in cases.REMEDIES}
        return {"auroc": auroc(y, self.scores(self.sealed)), "brier": brier}

    def commit(self, causes: Sequence[str], low: float, high: float, remedy: str) -> dict:
        """Points for causes, for the interval (80 %) of the AUROC and for the remedy, and the line to hand in.

        ValueError for no cause or more than two, another name, or an interval that is none.
        """
        if not 1 <= len(set(causes)) <= 2 or set(causes) - set(cases.CAUSES):
            raise ValueError(f"causes={list(causes)}: choose one or two of {', '.join(cases.CAUSES)}")
        if not 0 <= low < high <= 1:
            raise ValueError(f"from {low} to {high}: give an interval between 0 and 1, the lower end first")
        if remedy not in cases.REMEDIES:
            raise ValueError(f"remedy={remedy!r}: choose one of {', '.join(cases.REMEDIES)}")
        found, truth = set(self.hidden.causes), self.truth()
        best = min(truth["brier"].values())
        short = (truth["brier"][remedy] - best) / max(truth["brier"]["none"] - best, 0.01)
        parts = {
            "cause": len(found & set(causes)) / len(found | set(causes)),
            "forecast": max(0.0, 1 - interval_score(low, high, truth["auroc"]) / WORST),
            "remedy": min(1.0, max(0.0, 1 - short)),
        }
        points = {name: int(np.floor(SHARES[name] * part + 0.5)) for name, part in parts.items()}
        each = ", ".join(f"{name} {points[name]}/{SHARES[name]}" for name in SHARES)
        line = f"Sealed hospital {self.hidden.seed}: {sum(points.values())}/100 points ({each}), "
        line += f"{self.spent} of {BUDGET} spent: {', '.join(self.bought) or 'nothing'}."
        return {"points": points, "total": sum(points.values()), "line": line, "hidden": found, **truth}
