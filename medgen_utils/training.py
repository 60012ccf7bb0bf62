"""Networks, empirical risk minimisation and the one training loop every method shares. Chapter: generalization_gap.

An algorithm is anything with ``update(batches)``, one optimiser step on one batch a training domain, and
``predict(x)``, logits. Most methods subclass `ERM` and override `ERM.objective` in a few lines.
"""

from __future__ import annotations

import copy
import random
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from medgen_utils.data import Batch, DomainDataset
from medgen_utils.evaluation import auroc
from medgen_utils.inference import in_batches
from medgen_utils.setup import show_progress, training_device

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (CPU and CUDA). Functions of this package do not need it: they take a seed."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - for readers' own code that uses the global generator
    torch.manual_seed(seed)


class SmallCNN(nn.Module):
    """Three convolutions: x (n, channels, H, W) in [0, 1], H and W >= 8 -> features (n, 4 * width).

    Widths ``width, 2 * width, 4 * width``, 3 x 3 kernels, batch normalization, ReLU, max-pooling between them and a
    global average at the end: 93 k weights at width 32. ``normalize`` acts on the images first, in training and
    prediction alike (for example `data_augmentation.standardize_per_image`); by default [0, 1] becomes [-1, 1].
    """

    def __init__(self, channels: int, width: int = 32, normalize: Callable[[Tensor], Tensor] | None = None):
        super().__init__()
        self.normalize = normalize
        self.n_features = 4 * width
        self.layers = nn.Sequential(
            *_convolution(channels, width),
            nn.MaxPool2d(2),
            *_convolution(width, 2 * width),
            nn.MaxPool2d(2),
            *_convolution(2 * width, 4 * width),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = 2 * x - 1 if self.normalize is None else self.normalize(x)
        return self.layers(x).mean(dim=(2, 3))


def _convolution(n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)


class SmallResNet(nn.Module):
    """ResNet-18 for small images: x (n, channels, H, W) in [0, 1] -> features (n, 512); 11 million weights.

    The stem is one 3 x 3 convolution without max-pooling, as the MedMNIST results at 28 pixels need it.
    """

    n_features = 512

    def __init__(self, channels: int):
        from torchvision.models import resnet18  # two seconds, so only where it is needed

        super().__init__()
        self.network = resnet18(weights=None)
        self.network.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        self.network.maxpool = nn.Identity()
        self.network.fc = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.network(2 * x - 1)


class ERM(nn.Module):
    """Empirical risk minimisation: the mean cross-entropy over all training images, whatever their domain.

    ``featurizer`` maps images (n, C, H, W) to features (n, d), ``classifier`` maps those to logits (n, k);
    ``n_domains`` is the number of training domains (methods that keep something for each domain need it).
    Optimiser: AdamW. Source: Vapnik 1998; the baseline of Gulrajani & Lopez-Paz 2021. Chapter: generalization_gap.
    """

    def __init__(
        self,
        featurizer: nn.Module,
        classifier: nn.Module,
        n_domains: int = 1,
        *,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
    ):
        super().__init__()
        self.featurizer, self.classifier, self.n_domains = featurizer, classifier, n_domains
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.total_steps = 0  # set by `fit`; 0 means unknown
        self.register_buffer("step_count", torch.zeros((), dtype=torch.int64))

    @cached_property
    def optimizer(self) -> torch.optim.Optimizer:
        """Made at the first use, so that a subclass may add its own modules in ``__init__``."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)

    @property
    def progress(self) -> float:
        """Share of the training done, in [0, 1]; 0 outside `fit`."""
        return min(1.0, int(self.step_count) / self.total_steps) if self.total_steps else 0.0

    def objective(self, batches: Sequence[Batch]) -> tuple[Tensor, dict[str, float]]:
        """The loss of one step (a scalar) and what to log of it: the one method most algorithms override."""
        logits = self.predict(torch.cat([batch.x for batch in batches]))
        loss = F.cross_entropy(logits, torch.cat([batch.y for batch in batches]))
        return loss, {"loss": loss.item()}

    def update(self, batches: Sequence[Batch]) -> dict[str, float]:
        """One optimiser step on one batch a training domain; returns what `objective` logged."""
        loss, log = self.objective(batches)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step_count += 1
        return log

    def features(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> features (n, d)."""
        return self.featurizer(x)

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W) -> logits (n, k)."""
        return self.classifier(self.features(x))


def build(
    algorithm: type[ERM],
    dataset: DomainDataset,
    *,
    seed: int,
    width: int = 32,
    normalize: Callable[[Tensor], Tensor] | None = None,
    hyperparameters: dict[str, Any] | None = None,
) -> ERM:
    """An untrained algorithm on a `SmallCNN` and a linear head that fit the data set, with weights drawn from ``seed``.

    ``hyperparameters`` are the keyword arguments of the algorithm, for example ``{"weight": 1.0}``.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        featurizer = SmallCNN(dataset.x.shape[1], width, normalize)
        classifier = nn.Linear(featurizer.n_features, len(dataset.class_names))
        return algorithm(featurizer, classifier, len(dataset.domain.unique()), **(hyperparameters or {}))


def flips(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image (n, C, H, W) left to right with probability one half: what a frame of ultrasound allows."""
    mirrored = (torch.rand(len(x), generator=generator) < 0.5).to(x.device)
    return torch.where(mirrored[:, None, None, None], x.flip(3), x)


def flips_and_turns(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror and turn each image (n, C, H, H) by 0, 90, 180 or 270 degrees: a patch of tissue has no upright."""
    x = flips(x, generator)
    quarters = torch.randint(4, (len(x),), generator=generator).to(x.device)
    turned = torch.stack([torch.rot90(x, k, (2, 3)) for k in range(4)])
    return turned[quarters, torch.arange(len(x), device=x.device)]


def draw_batches(
    dataset: DomainDataset, batch_size: int, balanced: bool, generator: torch.Generator
) -> Iterator[list[Batch]]:
    """For ever: one batch for each domain of ``dataset``, ``batch_size`` images in all, drawn with replacement.

    Every domain gets the same share of a step, whatever its size. ``balanced`` also gives every class the same
    chance within a domain; otherwise a class is as frequent as in the data.
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
    algorithm: ERM,
    train: DomainDataset,
    *,
    steps: int,
    batch_size: int = 48,
    balanced: bool = True,
    augment: Augmentation | None = None,
    validation: DomainDataset | None = None,
    evaluate_every: int = 0,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool = False,
) -> Fit:
    """Train for a fixed number of steps on one batch a domain; the test domain is no argument, so it is never seen.

    ``augment(x, generator)`` acts on each domain's batch. With ``evaluate_every`` > 0 the ``validation`` images, of
    the training domains, are scored (AUROC and loss for each domain) and the weights are kept at those steps.
    Schedule: one cycle up to the algorithm's learning rate and down to nearly zero (Smith & Topin 2019).
    ``device`` is the GPU where there is one, unless you say otherwise; afterwards the algorithm is back where it was.
    The algorithm is trained in place and left in evaluation mode. ValueError where there is nothing to train on.
    """
    if steps < 1 or len(train) == 0:
        raise ValueError(f"steps={steps}, {len(train)} images: training needs at least one of each")
    if evaluate_every and validation is None:
        raise ValueError(f"evaluate_every={evaluate_every} needs validation images: pass validation=")
    generator = torch.Generator().manual_seed(seed)
    home, device = next(algorithm.parameters()).device, device or training_device()
    algorithm.to(device, memory_format=torch.channels_last).train()
    if algorithm.optimizer.state:  # trained before, perhaps elsewhere: what the optimiser remembers follows the weights
        algorithm.optimizer.load_state_dict(algorithm.optimizer.state_dict())
    algorithm.total_steps = int(algorithm.step_count) + steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(algorithm.optimizer, algorithm.learning_rate, total_steps=steps + 1)
    batches = draw_batches(train, batch_size, balanced, generator)
    rows: list[dict] = []
    checkpoints: dict[int, dict[str, Tensor]] = {}
    start = time.perf_counter()
    with torch.random.fork_rng(), tqdm(total=steps, disable=not (progress and show_progress()), leave=False) as bar:
        torch.manual_seed(seed)  # for what draws inside a network, as dropout does
        for step in range(1, steps + 1):
            now = [_to_device(batch, augment, generator, device) for batch in next(batches)]
            for metric, value in algorithm.update(now).items():
                rows.append({"step": step, "split": "training", "domain": "all", "metric": metric, "value": value})
            schedule.step()
            bar.update()
            if evaluate_every and (step % evaluate_every == 0 or step == steps):
                rows += _score(algorithm, validation, step)
                checkpoints[step] = copy.deepcopy(algorithm.state_dict())
    algorithm.to(home).eval()
    return Fit(pd.DataFrame(rows), checkpoints, time.perf_counter() - start)


def _to_device(batch: Batch, augment: Augmentation | None, generator: torch.Generator, device) -> Batch:
    x = batch.x.to(device)
    x = augment(x, generator) if augment else x
    return Batch(x.contiguous(memory_format=torch.channels_last), batch.y.to(device), batch.domain.to(device))


def _score(algorithm: ERM, dataset: DomainDataset, step: int) -> list[dict]:
    """AUROC and cross-entropy of each domain of ``dataset``, as rows of the history."""
    probabilities = predict_probabilities(algorithm, dataset.x)
    rows = []
    for number in dataset.domain.unique().tolist():
        inside = (dataset.domain == number).numpy()
        y, p = dataset.y.numpy()[inside], probabilities[inside]
        loss = -np.log(np.maximum(p[np.arange(len(y)), y], 1e-12)).mean()
        for metric, value in {"auroc": auroc(y, p), "loss": loss}.items():
            domain = dataset.domain_names[number]
            rows.append({"step": step, "split": "validation", "domain": domain, "metric": metric, "value": value})
    return rows


def predict_probabilities(algorithm: ERM, x: Tensor, batch_size: int = 512) -> np.ndarray:
    """Class probabilities (N, k) of images x (N, C, H, W), in evaluation mode."""
    return in_batches(algorithm, algorithm.predict, x, batch_size).double().softmax(1).numpy()


def extract_features(algorithm: ERM, x: Tensor, batch_size: int = 512) -> Tensor:
    """Features (N, d) of images x (N, C, H, W), in evaluation mode."""
    return in_batches(algorithm, algorithm.features, x, batch_size)


def map_runs(function: Callable[..., Any], tasks: Sequence[tuple], n_jobs: int | None = None) -> list[Any]:
    """``[function(*task) for task in tasks]``, the runs side by side, one thread each, in the order of the tasks.

    ``n_jobs`` defaults to the number of cores, and to 1 with a GPU. One thread a run keeps the results the same
    however many run at once: torch's sums depend on the number of threads in the last digits.
    """
    if n_jobs is None:
        n_jobs = 1 if torch.cuda.is_available() else joblib.cpu_count()
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
        joblib.delayed(with_one_thread)(function, task) for task in tasks
    )
    with warnings.catch_warnings():  # joblib replaces a worker that has grown; the run it held is not lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        return list(tqdm(results, total=len(tasks), disable=not show_progress(), leave=False))


def with_one_thread(function: Callable[..., Any], task: tuple) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*task)
    finally:
        torch.set_num_threads(before)
