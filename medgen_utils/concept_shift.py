"""When graders disagree: agreement, a consensus that knows its graders, and losses that bear wrong labels.

Chapter: concept_shift. Votes are (n, g) int64: the class that each of g graders gave to each of n images, -1 where a
grader gave none.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils.domains import Batch, DomainDataset, joined
from medgen_utils.evaluation.intervals import percentiles
from medgen_utils.training import ERM, log_mean_probability


def cohen_kappa(
    a: np.ndarray, b: np.ndarray, weights: Literal["none", "linear", "quadratic"] = "none", n_classes: int | None = None
) -> float:
    """Agreement of two graders beyond chance: 1 - observed / expected disagreement, in [-1, 1]; 0 is chance.

    a, b (n,): classes; images with -1 in either are left out. ``weights`` count a disagreement of classes i and j as 1,
    as |i - j| or as (i - j)^2 (the last two for ordered classes). NaN where no image has both votes, or where both
    graders only ever use one and the same class (chance agreement is then complete). Source: Cohen 1960, 1968.
    Chapter: concept_shift.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"votes of shapes {a.shape} and {b.shape}: give one class for each image, twice")
    a, b = a[(a >= 0) & (b >= 0)], b[(a >= 0) & (b >= 0)]
    if len(a) == 0:
        return float("nan")
    k = n_classes or int(max(a.max(), b.max())) + 1
    table = np.bincount(a * k + b, minlength=k * k).reshape(k, k) / len(a)
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    cost = {"none": (apart > 0).astype(float), "linear": apart, "quadratic": apart**2}[weights]
    expected = (cost * np.outer(table.sum(axis=1), table.sum(axis=0))).sum()
    return float(1 - (cost * table).sum() / expected) if expected > 0 else float("nan")


class Disagreement(NamedTuple):
    """The share of images on which two graders differ, in the two parts that `disagreement` explains."""

    moved: float
    crossed: float


def disagreement(a: np.ndarray, b: np.ndarray) -> Disagreement:
    """How two graders of two classes differ: what a moved line can explain, and what no moved line can.

    a, b (n,): 0 or 1, -1 for no vote. moved = |p(a = 1) - p(b = 1)|, crossed = twice the smaller of p(a = 1, b = 0) and
    p(a = 0, b = 1); they add up to p(a != b). Were one grader only stricter, the other would say 1 wherever that one
    does, and crossed would be 0. moved proves no strictness: careless votes on a rare class move the share too. NaN
    where no image has both votes; ValueError for a third class.
    Source: Pontius & Millones 2011, quantity and allocation disagreement. Chapter: concept_shift.
    """
    a, b = np.asarray(a), np.asarray(b)
    if max(a.max(initial=-1), b.max(initial=-1)) > 1:
        raise ValueError("a third class: strictness needs two classes, so compare one class with the rest")
    return _parts(_tables(a, b, np.zeros(len(a), int))[0])


def _tables(a: np.ndarray, b: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Counts (units, 2, 2) of the votes of two graders on two classes; images without both votes are left out."""
    both = (a >= 0) & (b >= 0)
    cell = 4 * unit[both] + 2 * a[both] + b[both]
    return np.bincount(cell, minlength=4 * (unit.max() + 1)).reshape(-1, 2, 2)


def _parts(table: np.ndarray) -> Disagreement:
    n, off = table.sum(), (table[1, 0], table[0, 1])
    if n == 0:
        return Disagreement(float("nan"), float("nan"))
    return Disagreement(float(abs(off[0] - off[1]) / n), float(2 * min(off) / n))


def _kappa_of(table: np.ndarray) -> float:
    share = table / table.sum() if table.sum() else np.full((2, 2), np.nan)
    chance = float(share.sum(axis=1) @ share.sum(axis=0))
    return float((np.trace(share) - chance) / (1 - chance)) if chance < 1 else float("nan")


def pairs_of_graders(votes: np.ndarray, units: np.ndarray, n_resamples: int = 400, seed: int = 0) -> pd.DataFrame:
    """Every pair of graders of two classes: `cohen_kappa` and both parts of `disagreement`, with 95 % intervals.

    votes (n, g), units (n,): what the bootstrap resamples as a whole, such as the slide (an image without one gets a
    unit of its own). Columns pair ("1 and 2"), measure (kappa, moved, crossed), value, low, high.
    """
    _, unit = np.unique(np.asarray(units), return_inverse=True)
    random, rows = np.random.default_rng(seed), []
    drawn = random.multinomial(unit.max() + 1, np.full(unit.max() + 1, 1 / (unit.max() + 1)), size=n_resamples)
    for i, j in itertools.combinations(range(votes.shape[1]), 2):
        tables = _tables(votes[:, i], votes[:, j], unit)
        resampled = [np.tensordot(counts, tables, axes=1) for counts in drawn]
        for measure, of in MEASURES.items():
            low, high = percentiles(np.array([of(table) for table in resampled]), 0.95)
            rows.append([f"{i + 1} and {j + 1}", measure, of(tables.sum(axis=0)), low, high])
    return pd.DataFrame(rows, columns=["pair", "measure", "value", "low", "high"])


def pairs_in(sets: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """`pairs_of_graders` of several sets of (votes, units), with the columns data (its name) and graders before it."""
    tables = [pairs_of_graders(*known).assign(data=name) for name, known in sets.items()]
    table = pd.concat(tables, ignore_index=True)
    return table.assign(graders=table["data"] + ": " + table["pair"])


MEASURES = {
    "kappa": _kappa_of,
    "moved": lambda table: _parts(table).moved,
    "crossed": lambda table: _parts(table).crossed,
}


def simulate_votes(confusion: np.ndarray, prevalence: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True classes (n,) and votes (n, g) of graders who err independently; confusion (g, 2, 2), see `Consensus`."""
    random = np.random.default_rng(seed)
    y = (random.random(n) < prevalence).astype(int)
    says_one = np.asarray(confusion)[:, y, 1].T  # (n, g): probability that a grader says 1
    return y, (random.random(says_one.shape) < says_one).astype(int)


def vote_shares(votes: np.ndarray, n_classes: int) -> np.ndarray:
    """Votes (n, g) -> soft labels (n, k): the share of votes for each class. ValueError where an image has none."""
    counts = np.stack([(votes == label).sum(axis=1) for label in range(n_classes)], axis=1).astype(float)
    if (counts.sum(axis=1) == 0).any():
        raise ValueError(f"{int((counts.sum(axis=1) == 0).sum())} images have no vote: leave them out")
    return counts / counts.sum(axis=1, keepdims=True)


def majority_vote(votes: np.ndarray, n_classes: int) -> np.ndarray:
    """Votes (n, g) -> the class with most votes (n,); a tie goes to the lower class number."""
    return vote_shares(votes, n_classes).argmax(axis=1)


class Consensus(NamedTuple):
    """What `dawid_skene` found.

    posterior (n, k): probability of each class for each image; confusion (g, k, k): p(grader says j | class i), rows
    sum to 1; prevalence (k,); log_likelihood: of the votes, a value per iteration, never falling; converged.
    """

    posterior: np.ndarray
    confusion: np.ndarray
    prevalence: np.ndarray
    log_likelihood: np.ndarray
    converged: bool


def dawid_skene(votes: np.ndarray, n_classes: int, max_iterations: int = 500, tolerance: float = 1e-7) -> Consensus:
    """Each image's class and each grader's habits together, by expectation-maximisation on the votes alone.

    votes (n, g), -1 for a missing vote. Model: the image has one true class, and the graders err independently of each
    other given that class: with three graders or more this can be learned without truth. Where they share an error (all
    take large lesions for malignant) nothing in the votes shows it. Starts from the vote shares; stops when the mean
    log-likelihood of an image rises by less than ``tolerance``. One image is added to each cell's count divided by its
    number of cells, so that no probability is 0. ValueError with fewer than three graders or an image without votes.
    Source: Dawid & Skene 1979. Chapter: concept_shift.
    """
    votes = np.asarray(votes)
    if votes.ndim != 2 or votes.shape[1] < 3:
        raise ValueError(f"votes of shape {votes.shape}: give (images, graders), with at least three graders")
    said = np.stack([votes == label for label in range(n_classes)], axis=2).astype(float)  # (n, g, k)
    posterior, history = vote_shares(votes, n_classes), []
    for _ in range(max_iterations):
        counts = np.einsum("ni,ngj->gij", posterior, said) + 1 / n_classes**2
        confusion = counts / counts.sum(axis=2, keepdims=True)
        prevalence = posterior.mean(axis=0)
        joint = np.log(np.maximum(prevalence, 1e-300)) + np.einsum("ngj,gij->ni", said, np.log(confusion))
        top = joint.max(axis=1, keepdims=True)
        evidence = top + np.log(np.exp(joint - top).sum(axis=1, keepdims=True))
        posterior = np.exp(joint - evidence)
        history.append(float(evidence.sum()))
        if len(history) > 1 and history[-1] - history[-2] < tolerance * len(votes):
            break
    return Consensus(posterior, confusion, prevalence, np.array(history), len(history) < max_iterations)


def with_every_vote(dataset: DomainDataset, votes: np.ndarray) -> DomainDataset:
    """All labels: a copy of an image for each vote it got, labelled with that vote; patients stay together.

    The mean cross-entropy over an image's copies is its cross-entropy with the vote shares. Chapter: concept_shift.
    """
    if len(votes) != len(dataset):
        raise ValueError(f"{len(votes)} rows of votes for {len(dataset)} images: give a row for each image")
    image, grader = np.nonzero(votes >= 0)
    copies = dataset.subset(image)
    return replace(copies, y=torch.as_tensor(votes[image, grader], dtype=torch.int64))


def with_soft_labels(dataset: DomainDataset, shares: np.ndarray) -> tuple[DomainDataset, np.ndarray]:
    """Soft labels for `SoftLabels`: the same images, whose y numbers a row of the table (m, k) returned beside them.

    shares (n, k), rows summing to 1, such as vote shares or a consensus' posterior; rounded to 3 decimals, so that
    equal rows share a number. Train with ``balanced=False``: balancing would balance over rows of the table.
    """
    if len(shares) != len(dataset) or not np.allclose(shares.sum(axis=1), 1):
        raise ValueError(f"soft labels of shape {shares.shape} for {len(dataset)} images: give rows that sum to 1")
    table, row = np.unique(np.round(shares, 3), axis=0, return_inverse=True)
    names = tuple(" / ".join(f"{share:.2f}" for share in label) for label in table)
    return replace(dataset, y=torch.as_tensor(row.ravel(), dtype=torch.int64), class_names=names), table


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy with soft labels: logits (n, k), target (n, k) with rows summing to 1 -> scalar >= 0."""
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()


def forward_correction(logits: Tensor, y: Tensor, transition: Tensor) -> Tensor:
    """Cross-entropy between the recorded label and what a grader would record: the network predicts the true class.

    logits (n, k), y (n,), transition (k, k): transition[i, j] = p(recorded j | true i), rows sum to 1 -> scalar >= 0.
    With the right matrix its minimiser is the classifier of the true class. The identity gives cross-entropy. The
    matrix is that of the training draws: batches balanced over RECORDED classes change it unless both are as frequent.
    Source: Patrini et al. 2017. Chapter: concept_shift.
    """
    recorded = logits.log_softmax(dim=1)[:, :, None] + transition.clamp(min=1e-12).log().to(logits)[None]
    return F.nll_loss(recorded.logsumexp(dim=1), y)


def generalized_cross_entropy(logits: Tensor, y: Tensor, q: float = 0.7) -> Tensor:
    """Mean of (1 - p^q) / q, where p is the probability given to the recorded class: logits (n, k), y (n,) -> scalar.

    q in (0, 1]: towards 0 it becomes cross-entropy, at 1 it is 1 - p, which no single wrong label can dominate, and
    which learns slowly. Between 0 and 1 / q. ValueError for another q. Source: Zhang & Sabuncu 2018.
    Chapter: concept_shift.
    """
    if not 0 < q <= 1:
        raise ValueError(f"q={q}: choose a value above 0 and up to 1")
    log_p = logits.log_softmax(dim=1).gather(1, y[:, None]).squeeze(1)
    return (-torch.expm1(q * log_p) / q).mean()


class SoftLabels(ERM):
    """ERM with `soft_cross_entropy`; a batch's y numbers a row of ``table`` (m, k), see `with_soft_labels`.

    The classifier is replaced by one with k outputs, whatever number of rows the data set names.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        table: np.ndarray,
    ):
        head = nn.Linear(featurizer.n_features, table.shape[1])
        super().__init__(featurizer, head, n_domains)
        self.register_buffer("table", torch.as_tensor(table, dtype=torch.float32))

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, row, _ = joined(batches)
        loss = soft_cross_entropy(self.predict(x), self.table[row])
        return loss, {"loss": loss.item()}


class ForwardCorrection(ERM):
    """ERM with `forward_correction`; ``transition`` (k, k) is p(recorded j | true i) of the training draws."""

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        transition: Sequence[Sequence[float]],
    ):
        super().__init__(featurizer, classifier, n_domains)
        matrix = torch.as_tensor(np.asarray(transition), dtype=torch.float32)
        if matrix.ndim != 2 or not torch.allclose(matrix.sum(dim=1), torch.ones(len(matrix)), atol=1e-4):
            raise ValueError(f"transition {matrix.tolist()}: give a square matrix whose rows sum to 1")
        self.register_buffer("transition", matrix)

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        loss = forward_correction(self.predict(x), y, self.transition)
        return loss, {"loss": loss.item()}


class GeneralizedCrossEntropy(ERM):
    """ERM with `generalized_cross_entropy`."""

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        q: float = 0.7,
    ):
        super().__init__(featurizer, classifier, n_domains)
        self.q = q

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        loss = generalized_cross_entropy(self.predict(x), y, self.q)
        return loss, {"loss": loss.item()}


class CoTeaching(ERM):
    """Two networks, each trained on the images of a step that the other one finds easiest (smallest loss).

    ``forget_rate`` is the share of a step's images that is left out, reached linearly over the first ``warm_up`` of the
    training (networks learn the regular labels first, so small losses come to mean right labels); set it to the
    expected share of wrong labels. Two networks cost twice the compute of ERM; predictions are their mean probability.
    Source: Han et al. 2018. Chapter: concept_shift.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        forget_rate: float = 0.2,
        warm_up: float = 0.3,
    ):
        super().__init__(featurizer, classifier, n_domains)
        if not 0 <= forget_rate < 1:
            raise ValueError(f"forget_rate={forget_rate}: choose a share from 0 to below 1")
        self.forget_rate, self.warm_up = forget_rate, warm_up
        self.peer = copy.deepcopy(nn.Sequential(featurizer, classifier))
        for module in self.peer.modules():  # other weights than the first network's, or both would always agree
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        x, y, _ = joined(batches)
        first = F.cross_entropy(self.classifier(self.featurizer(x)), y, reduction="none")
        second = F.cross_entropy(self.peer(x), y, reduction="none")
        forgotten = self.forget_rate * (min(1.0, self.progress / self.warm_up) if self.warm_up else 1.0)
        kept = max(1, round(len(y) * (1 - forgotten)))
        loss = first[second.argsort()[:kept]].mean() + second[first.argsort()[:kept]].mean()
        return loss, {"loss": loss.item() / 2, "kept": kept / len(y)}

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> logarithms of the two networks' mean probabilities (n, k)."""
        return log_mean_probability(torch.stack([self.classifier(self.featurizer(x)), self.peer(x)]))
