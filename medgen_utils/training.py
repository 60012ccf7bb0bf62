"""Networks, empirical risk minimisation and the one training loop every method shares. Chapter: generalization_gap.

`fit` trains any `domains.Algorithm`: what has ``update(batches)``, one step on one batch a training domain, and
``predict(x)``, logits. Most methods subclass `ERM` and override `ERM.objective` in a few lines.
"""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from medgen_utils.adaptation import BATCH_NORMS
from medgen_utils.backbones import SmallCNN
from medgen_utils.domains import Algorithm, Batch, DomainDataset, joined
from medgen_utils.evaluation import auroc, predict_probabilities
from medgen_utils.machine import device_of, in_batches, keep_memory, progress_bar, training_device
from medgen_utils.machine import map_runs as map_runs  # taught here

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


class ERM(nn.Module):
    """Empirical risk minimisation: the mean cross-entropy over all training images, whatever their domain.

    ``featurizer`` maps images (n, C, H, W) to features (n, d), ``classifier`` maps those to logits (n, k);
    ``n_domains`` is the number of training domains (methods that keep something for each domain need it).
    A method adds its own modules after ``super().__init__``: the optimiser, AdamW, is made later, by `prepare`.
    Source: Vapnik 1998; the baseline of Gulrajani & Lopez-Paz 2021. Chapter: generalization_gap.
    """

    def __init__(self, featurizer: nn.Module, classifier: nn.Module, n_domains: int = 1):
        super().__init__()
        self.featurizer, self.classifier, self.n_domains = featurizer, classifier, n_domains
        self.optimizer: torch.optim.Optimizer | None = None
        self.schedule: torch.optim.lr_scheduler.OneCycleLR | None = None
        self.total_steps = 0  # 0 means unknown
        self.register_buffer("step_count", torch.zeros((), dtype=torch.int64))

    def prepare(self, learning_rate: float = 2e-3, weight_decay: float = 1e-3, total_steps: int = 0) -> None:
        """Make the optimiser and its schedule for the next ``total_steps`` steps; `fit` calls it before the first.

        One cycle up to the learning rate and down to nearly zero (Smith & Topin 2019); with ``total_steps`` 0, for
        steps by hand, the rate stays as it is. An algorithm that was trained before keeps its moments of the gradient.
        """
        before = self.optimizer
        groups = self.parameter_groups(learning_rate)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=weight_decay)
        if before is not None:
            state = {"state": before.state_dict()["state"]}
            self.optimizer.load_state_dict(self.optimizer.state_dict() | state)
        self.schedule, self.total_steps = None, 0
        if total_steps:
            one_cycle = torch.optim.lr_scheduler.OneCycleLR
            self.schedule = one_cycle(self.optimizer, [group["lr"] for group in groups], total_steps=total_steps + 1)
            self.total_steps = int(self.step_count) + total_steps

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """What the optimiser moves and how fast; one group for all, unless a method says otherwise."""
        return [{"params": list(self.parameters()), "lr": learning_rate}]

    @property
    def progress(self) -> float:
        """Share of the training done, in [0, 1]; 0 where its length is unknown."""
        return min(1.0, int(self.step_count) / self.total_steps) if self.total_steps else 0.0

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        """The loss of one step (a scalar) and what to log of it: the one method most algorithms override."""
        x, y, _ = joined(batches)
        loss = F.cross_entropy(self.predict(x), y)
        return loss, {"loss": loss.item()}

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One optimiser step on one batch a training domain; returns what `objective` logged."""
        loss, log = self.objective(batches)
        self.zero_grad()
        loss.backward()
        self.take_step()
        return log

    def take_step(self) -> None:
        """One step of the optimiser along the gradients that the weights hold, and one of its schedule."""
        if self.optimizer is None:
            raise RuntimeError(f"{type(self).__name__} has no optimiser yet: call prepare() first, or let fit do so")
        self.optimizer.step()
        if self.schedule is not None and self.schedule.last_epoch + 1 < self.schedule.total_steps:
            self.schedule.step()  # after its end the rate stays where it is
        self.step_count += 1

    def features(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> features (n, d)."""
        return self.featurizer(x)

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> logits (n, k)."""
        return self.classifier(self.features(x))


class RecentImages:
    """Images of the last 20 steps, on which the running statistics of batch normalization are measured again.

    For methods that keep other weights than those that met the images. Where no such layer is training there is
    nothing to measure, and nothing is kept. Chapters: meta_learning, all remedies.
    """

    def __init__(self) -> None:
        self.images: deque[Tensor] = deque(maxlen=20)
        self.step = -1  # the last one whose weights are not measured yet

    def add(self, model: ERM, batches: Sequence[Batch]) -> None:
        """Keep the images of the step that ``model`` has just taken."""
        if any(isinstance(layer, BATCH_NORMS) and layer.training for layer in model.modules()):
            self.images.append(joined(batches).x)
            self.step = int(model.step_count)

    def measure(self, model: ERM, *_: object) -> None:
        """The mean statistics of the images, all domains of a step together, under the weights of now; once a step.

        Weights of another step that were loaded meanwhile keep theirs. With the training the images go.
        """
        if self.step != int(model.step_count):
            return
        with torch.random.fork_rng():  # a look at the scores must not change what dropout draws next
            update_bn(self.images, nn.Sequential(model.featurizer, model.classifier), device_of(model))
        self.step = -1
        if model.progress == 1:
            self.images.clear()


def build(
    algorithm: type[ERM],
    dataset: DomainDataset,
    *,
    seed: int,
    width: int = 32,
    normalize: Callable[[Tensor], Tensor] | None = None,
    backbone: Callable[[], nn.Module] | None = None,
    hyperparameters: dict[str, Any] | None = None,
) -> ERM:
    """An untrained algorithm on a `SmallCNN` and a linear head that fit the data set, with weights drawn from ``seed``.

    ``backbone()`` makes another featurizer, for example ``backbones.EfficientNetLite0``; ``width`` and ``normalize``
    are then not used. ``hyperparameters`` are the algorithm's own, for example ``{"weight": 1.0}``; learning rate and
    weight decay are given to `fit`.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        featurizer = backbone() if backbone else SmallCNN(dataset.x.shape[1], width, normalize)
        classifier = nn.Linear(featurizer.n_features, len(dataset.class_names))
        return algorithm(featurizer, classifier, len(dataset.domain.unique()), **(hyperparameters or {}))


def flips(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (n, C, H, W) left to right with probability one half: what a frame of ultrasound allows."""
    return mirror(x, torch.rand(len(x), generator=generator) < 0.5)


def flips_and_turns(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror and turn each image (n, C, H, H) by 0, 90, 180 or 270 degrees: a patch of tissue has no upright."""
    x = flips(x, generator)
    return turn(x, torch.randint(4, (len(x),), generator=generator))


def mirror(x: Tensor, which: Tensor) -> Tensor:
    """The images (n, C, H, W), those of ``which`` (n,) bool left to right."""
    return torch.where(which.to(x.device)[:, None, None, None], x.flip(3), x)


def turn(x: Tensor, quarters: Tensor) -> Tensor:
    """The images (n, C, H, H), each turned by its ``quarters`` (n,) of a full turn, 0 to 3."""
    turned = torch.stack([torch.rot90(x, k, (2, 3)) for k in range(4)])
    return turned[quarters.to(x.device), torch.arange(len(x), device=x.device)]


def draw_batches(
    dataset: DomainDataset, batch_size: int, balanced: bool, generator: torch.Generator
) -> Iterator[list[Batch]]:
    """For ever: one batch for each domain of ``dataset``, ``batch_size`` images in all, drawn with replacement.

    Every domain gets the same share of a step, whatever its size. ``balanced`` also gives every class the same
    chance within a domain; otherwise a class is as frequent as in the data. ValueError where that share is less than
    two images.
    """
    numbers = dataset.domain.unique().tolist()
    size = batch_size // len(numbers)
    if size < 2:
        raise ValueError(f"batch_size={batch_size} leaves {size} images to each of {len(numbers)} domains: use more")
    pools = []
    for number in numbers:
        inside = (dataset.domain == number).nonzero().squeeze(1)
        counts = torch.bincount(dataset.y[inside], minlength=len(dataset.class_names)).float()
        pools.append((inside, 1 / counts[dataset.y[inside]] if balanced else torch.ones(len(inside))))
    while True:
        picked = [inside[torch.multinomial(w, size, replacement=True, generator=generator)] for inside, w in pools]
        yield [Batch(dataset.x[i], dataset.y[i], dataset.domain[i]) for i in picked]


class Fit(NamedTuple):
    """What `fit` returns: history (columns step, split, domain, metric, value), checkpoints {step: state}, seconds."""

    history: pd.DataFrame
    checkpoints: dict[int, dict[str, Tensor]]
    seconds: float


def fit(
    algorithm: Algorithm,
    train: DomainDataset,
    *,
    steps: int,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-3,
    batch_size: int = 48,
    balanced: bool = True,
    augment: Augmentation | None = None,
    validation: DomainDataset | None = None,
    evaluate_every: int = 0,
    seed: int = 0,
    device: str | torch.device | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    progress: bool = False,
) -> Fit:
    """Train for a fixed number of steps on one batch a domain; the test domain is no argument, so it is never seen.

    ``learning_rate`` and ``weight_decay`` go to the algorithm's ``prepare``, where it has one (`ERM.prepare`).
    ``augment(x, generator)`` acts on each domain's batch. With ``evaluate_every`` > 0 the ``validation`` images, of
    the training domains, are scored (AUROC and loss for each domain) and a module's weights are kept at those steps.
    ``device`` is the GPU where there is one, unless you say otherwise; afterwards a module is back where it was.
    (What is no module stays where it is, and unless you say otherwise its batches are on the CPU.)
    ``precision`` "bf16" computes products and convolutions of a step in bfloat16 (torch's autocast; weights, losses and
    scores stay float32), for machines with the instructions. A `SmallCNN`'s step of 48 images at 28 px was 1.4 (width
    16) and 1.7 times (32) as fast on one core with AVX-512 BF16; EfficientNet-Lite0's was slower there: measure first.
    The algorithm is trained in place and left in evaluation mode. ValueError where there is nothing to train on,
    nothing to evaluate on, fewer than two images of a batch for each domain, and for another precision.
    """
    if steps < 1 or len(train) == 0:
        raise ValueError(f"steps={steps}, {len(train)} images: training needs at least one of each")
    if evaluate_every and validation is None:
        raise ValueError(f"evaluate_every={evaluate_every} needs validation images: pass validation=")
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"precision={precision!r}: choose 'fp32' or 'bf16'")
    keep_memory()
    generator = torch.Generator().manual_seed(seed)
    module = algorithm if isinstance(algorithm, nn.Module) else None
    if module is not None:
        home, device = device_of(module), device or training_device()
        module.to(device, memory_format=torch.channels_last).train()
    if hasattr(algorithm, "prepare"):
        algorithm.prepare(learning_rate=learning_rate, weight_decay=weight_decay, total_steps=steps)
    batches = draw_batches(train, batch_size, balanced, generator)
    rows: list[dict] = []
    checkpoints: dict[int, dict[str, Tensor]] = {}
    start = time.perf_counter()
    with torch.random.fork_rng(), progress_bar(total=steps, show=progress) as bar:
        torch.manual_seed(seed)  # for what draws inside a network, as dropout does
        for step in range(1, steps + 1):
            now = ready(next(batches), augment, generator, device or "cpu")
            with _autocast(precision, device or "cpu"):
                log = algorithm.update(now)
            for metric, value in log.items():
                rows.append({"step": step, "split": "training", "domain": "all", "metric": metric, "value": value})
            bar.update()
            if evaluate_every and (step % evaluate_every == 0 or step == steps):
                rows += _score(algorithm, validation, step)
                if module is not None:
                    checkpoints[step] = copy.deepcopy(module.state_dict())
    seconds = time.perf_counter() - start
    if module is not None:
        module.eval().to(home)  # what is measured at the end is measured where the images are
    return Fit(pd.DataFrame(rows), checkpoints, seconds)


def _autocast(precision: str, device: str | torch.device) -> torch.autocast:
    """bfloat16 inside, or nothing; without its cache, since a step may use a weight before and after changing it."""
    bf16 = precision == "bf16"
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=bf16, cache_enabled=False)


def ready(
    batches: Sequence[Batch], augment: Augmentation | None, generator: torch.Generator, device: str | torch.device
) -> list[Batch]:
    """The batches of a step as the network meets them: on its device, each domain augmented, channels last."""
    moved = [(batch.x.to(device), batch.y.to(device), batch.domain.to(device)) for batch in batches]
    moved = [(augment(x, generator) if augment else x, y, domain) for x, y, domain in moved]
    return [Batch(x.contiguous(memory_format=torch.channels_last), y, domain) for x, y, domain in moved]


def _score(algorithm: Algorithm, dataset: DomainDataset, step: int) -> list[dict]:
    """AUROC and cross-entropy of each domain of ``dataset``, as rows of the history."""
    probabilities = predict_probabilities(algorithm, dataset.x)
    probabilities = np.nan_to_num(probabilities, nan=1 / probabilities.shape[1])  # one that diverged is guessing
    rows = []
    for number in dataset.domain.unique().tolist():
        inside = (dataset.domain == number).numpy()
        y, p = dataset.y.numpy()[inside], probabilities[inside]
        loss = -np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean()
        for metric, value in {"auroc": auroc(y, p), "loss": loss}.items():
            domain = dataset.domain_names[number]
            rows.append({"step": step, "split": "validation", "domain": domain, "metric": metric, "value": value})
    return rows


def extract_features(algorithm: ERM, x: Tensor, batch_size: int = 512) -> Tensor:
    """Features (N, d) of images x (N, C, H, W), in evaluation mode."""
    return in_batches(algorithm, algorithm.features, x, batch_size)


def log_mean_probability(logits: Tensor) -> Tensor:
    """Logits of m models (m, n, k) -> logarithm of the mean of their probabilities (n, k)."""
    return logits.log_softmax(dim=2).logsumexp(dim=0) - math.log(len(logits))
