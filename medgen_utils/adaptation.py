"""After deployment: adapt a trained model to unlabelled images of a new place. Chapter: outlook.

Adaptation reads images of the target, without labels: it is no domain generalization, and results belong in a column
of their own. The adapters act on batch normalization alone and leave the model they are given as it is.
`ManyViews` adapts nothing: it asks the same network several times.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from medgen_utils.machine import device_of

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


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
        adapted.predict(x.to(device_of(adapted)))
    for handle in handles:
        handle.remove()
    return adapted


def prediction_entropy(logits: Tensor) -> Tensor:
    """Entropy in nats of each row's class probabilities: logits (n, k) -> (n,), from 0 (sure) to log k (no idea)."""
    log_p = logits.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


class ByBatch:
    """Predicts each batch with the statistics that `adapt_batchnorm` mixes from that batch alone; keeps nothing of it.

    So a patient's answer depends on the others in the batch. Chapter: outlook.
    """

    def __init__(self, algorithm: nn.Module, prior_strength: float) -> None:
        self.algorithm, self.prior_strength = algorithm, prior_strength

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W), one batch of the stream -> logits (n, k)."""
        return adapt_batchnorm(self.algorithm, x, self.prior_strength).predict(x)


class ManyViews:
    """Test-time augmentation: the mean of the class probabilities of an image and of its mirrored (and turned) copies.

    No weight and no statistic changes, so a batch of one will do, and neither company nor order matters. 2 views, or
    8 with ``turns``, for images that have no upright. Chapter: outlook.
    """

    def __init__(self, algorithm: nn.Module, turns: bool = False) -> None:
        self.algorithm, self.turns = algorithm, turns

    def predict(self, x: Tensor) -> Tensor:
        """Images (n, C, H, W), with turns H = W -> logarithms of the mean probabilities (n, k)."""
        turned = [torch.rot90(x, quarters, (2, 3)) for quarters in range(4 if self.turns else 1)]
        views = [view for image in turned for view in (image, image.flip(3))]
        return torch.stack([self.algorithm.predict(view).softmax(1) for view in views]).mean(0).log()


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
                logits = self.model.predict(x.to(device_of(self.model)))
                self.optimizer.zero_grad()
                prediction_entropy(logits).mean().backward()
                self.optimizer.step()
        return logits.detach()


def _copy(algorithm: nn.Module) -> nn.Module:
    """A deep copy in evaluation mode."""
    return copy.deepcopy(algorithm).eval()


def _batchnorm_layers(algorithm: nn.Module) -> list[nn.Module]:
    layers = [m for m in algorithm.modules() if isinstance(m, BATCH_NORMS) and m.affine and m.running_mean is not None]
    if not layers:
        raise ValueError(f"{type(algorithm).__name__} has no batch normalization with statistics: nothing to adapt")
    return layers
