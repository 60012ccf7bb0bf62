"""After deployment: adapt a trained model to unlabelled images of a new place, and watch its outputs over time.

Adaptation reads images of the target, without labels: it is no domain generalization, and results belong in a column
of their own. Both adapters act on batch normalization alone and leave the model they are given as it is.
Monitoring compares each month's outputs with a reference, by a statistic whose quiet behaviour is the same for every
model, so a false-alarm rate can be stated beforehand. Chapter: outlook.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

QUIET_MEAN, QUIET_SD = 0.8687, 0.2603  # of the scaled Kolmogorov-Smirnov distance of two large samples of one source


def adapt_batchnorm(algorithm: nn.Module, x: Tensor, prior_strength: float) -> nn.Module:
    """A copy of a trained model whose batch-normalization statistics lean towards those of images x.

    algorithm: a module with ``predict(x)`` and batch normalization; x (n, C, H, W), unlabelled, all at once through the
    network. Each layer gets  N / (N + n) * source + n / (N + n) * batch  for its mean and its variance, where N >= 0 is
    ``prior_strength``: the number of images that the source statistics are worth. 0: the batch's statistics alone;
    math.inf: the model as it was. Convention: biased variance over images and places, as batch normalization uses in
    training; a layer sees what the adapted layers before it give. The copy is in evaluation mode.
    ValueError for n = 0, for one image with N = 0 (its pixels are no sample of a scanner), and without such layers.
    Source: Schneider et al. 2020; with N = 0, Nado et al. 2020. Chapter: outlook.
    """
    if not prior_strength >= 0:
        raise ValueError(f"prior_strength={prior_strength}: choose 0 (the batch alone) or more images")
    if len(x) < (1 if prior_strength else 2):
        raise ValueError(f"{len(x)} images, prior_strength={prior_strength}: use more images or a stronger prior")
    share = len(x) / (len(x) + prior_strength)

    def mix(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        values = inputs[0].transpose(0, 1).flatten(1)  # a row a channel
        layer.running_mean.lerp_(values.mean(1), share)
        layer.running_var.lerp_(values.var(1, correction=0), share)

    adapted = _copy(algorithm)
    handles = [layer.register_forward_pre_hook(mix) for layer in _batchnorm_layers(adapted)]
    with torch.no_grad():
        adapted.predict(x.to(_device(adapted)))
    for handle in handles:
        handle.remove()
    return adapted


def prediction_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of each row's class probabilities: logits (n, k) -> (n,), from 0 (sure) to log k (no idea)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


class Tent(nn.Module):
    """Test-time entropy minimisation: every call of ``predict`` also takes a step towards surer predictions.

    A copy of ``algorithm`` whose batch normalization uses the batch's own statistics, always. Only the scale and shift
    of those layers learn, by Adam on the mean `prediction_entropy` of the batch; the original is left as it is.
    What is learned stays for the next batch, so the order of the batches matters; ``reset`` goes back to the start, and
    ``episodic=True`` does so before each batch. Convention of the authors' code: the logits are those of the last of
    ``steps`` forward passes, from BEFORE its update. (So episodic with one step is batch statistics alone.)
    ValueError for a batch of one image, and for a model without batch normalization.
    Source: Wang et al. 2021. Chapter: outlook.
    """

    def __init__(
        self, algorithm: nn.Module, *, learning_rate: float = 1e-3, steps: int = 1, episodic: bool = False
    ) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"steps={steps}: take at least one for each batch")
        self.model, self.steps, self.episodic = _copy(algorithm).requires_grad_(False), steps, episodic
        for layer in _batchnorm_layers(self.model):
            layer.running_mean = layer.running_var = None  # without them the layer uses the batch's
            layer.requires_grad_(True)
        learning = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.Adam(learning, learning_rate)
        self._start = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))
        self.eval()

    def reset(self) -> None:
        """Forget all batches: the scales, shifts and optimiser of the beginning."""
        model, optimizer = copy.deepcopy(self._start)
        self.model.load_state_dict(model)
        self.optimizer.load_state_dict(optimizer)

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W), n >= 2, one batch of the stream -> logits (n, k); adapts on the way."""
        if len(x) < 2:
            raise ValueError(f"a batch of {len(x)} images: Tent needs the statistics of 2 or more, better of dozens")
        if self.episodic:
            self.reset()
        with torch.enable_grad():
            for _ in range(self.steps):
                logits = self.model.predict(x.to(_device(self.model)))
                self.optimizer.zero_grad()
                prediction_entropy(logits).mean().backward()
                self.optimizer.step()
        return logits.detach()


def _copy(algorithm: nn.Module) -> nn.Module:
    """A deep copy in evaluation mode, without the optimiser that trained the original."""
    copied = copy.deepcopy(algorithm)
    copied.__dict__.pop("optimizer", None)  # its schedule would step the original's
    return copied.eval()


def _batchnorm_layers(algorithm: nn.Module) -> list[nn.Module]:
    layers = [m for m in algorithm.modules() if isinstance(m, _BatchNorm) and m.affine and m.running_mean is not None]
    if not layers:
        raise ValueError(f"{type(algorithm).__name__} has no batch normalization with statistics: nothing to adapt")
    return layers


def _device(algorithm: nn.Module) -> torch.device:
    return next(algorithm.parameters()).device


def monthly_distances(reference: np.ndarray, months: np.ndarray) -> np.ndarray:
    """How far each month's outputs are from the reference: reference (m,), months (T, n) -> (T,), >= 0.

    Kolmogorov-Smirnov distance times sqrt(m n / (m + n)). While nothing changes, its law depends on m and n alone,
    not on the model (outputs without ties; one image a patient): about 0.87 on average, standard deviation 0.26.
    The distance is that of `shifts.black_box_shift_detection`. Chapter: outlook.
    """
    reference, months = np.sort(reference), np.sort(np.atleast_2d(months), axis=1)
    m, n = len(reference), months.shape[1]
    below, up_to = (np.searchsorted(reference, months, side) / m for side in ("left", "right"))
    rank = np.arange(n + 1) / n
    distance = np.maximum((rank[1:] - up_to).max(1), (below - rank[:-1]).max(1))
    return distance * math.sqrt(m * n / (m + n))


def cusum(values: np.ndarray, drift: float = QUIET_MEAN + QUIET_SD / 2) -> np.ndarray:
    """Page's cumulative sum S_t = max(0, S_(t-1) + value_t - drift), S_0 = 0: values (..., T) -> the same shape.

    ``drift`` is what a quiet month may cost: by default half a standard deviation above the mean of
    `monthly_distances`. Small changes that last add up. Source: Page 1954. Chapter: outlook.
    """
    total, sums = np.zeros(np.shape(values)[:-1]), np.empty(np.shape(values))
    for month in range(sums.shape[-1]):
        total = np.maximum(0, total + values[..., month] - drift)
        sums[..., month] = total
    return sums


def each_month_alone(values: np.ndarray) -> np.ndarray:
    """The chart without a memory: the monthly distances as they are (after Shewhart). Chapter: outlook."""
    return np.asarray(values)


def quiet_streams(n_reference: int, month_size: int, n_months: int, n_streams: int, seed: int) -> Iterator[np.ndarray]:
    """`monthly_distances` (n_months,) of streams in which nothing changes, each with a reference of its own.

    The law of the distances does not depend on that of the outputs, so uniform numbers stand for any model.
    """
    rng = np.random.default_rng(seed)
    for _ in range(n_streams):
        yield monthly_distances(rng.random(n_reference), rng.random((n_months, month_size)))


def alarm_threshold(
    false_alarm_rate: float,
    *,
    n_reference: int,
    month_size: int,
    n_months: int,
    seed: int,
    chart: Callable[[np.ndarray], np.ndarray] = cusum,
    n_streams: int = 2000,
) -> float:
    """The height above which ``chart`` alarms, such that P(any alarm in n_months quiet months) <= false_alarm_rate.

    From the largest value of the chart in each of ``n_streams`` simulated `quiet_streams`: the order statistic
    ceil((1 - rate) (n_streams + 1)). The rate counts the draw of the reference, of the months and of the simulation.
    It holds where months are independent draws from the reference's own source: no seasons, one image a patient.
    Where n_reference is a multiple of month_size few distances are possible, and the true rate is below the stated one.
    ValueError where the rate is not in (0, 1) or n_streams is too small for it. Chapter: outlook.
    """
    if not 0 < false_alarm_rate < 1:
        raise ValueError(f"false_alarm_rate={false_alarm_rate}: choose a probability between 0 and 1")
    position = math.ceil((1 - false_alarm_rate) * (n_streams + 1))
    if position > n_streams:
        raise ValueError(f"n_streams={n_streams} cannot show a rate of {false_alarm_rate}: simulate more")
    streams = quiet_streams(n_reference, month_size, n_months, n_streams, seed)
    return float(np.sort([chart(distances).max() for distances in streams])[position - 1])


def first_alarm(values: np.ndarray, threshold: float) -> int | None:
    """Number of the first month (from 1) whose chart value is above the threshold, or None. Chapter: outlook."""
    above = np.flatnonzero(np.asarray(values) > threshold)
    return int(above[0]) + 1 if len(above) else None
