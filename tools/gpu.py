"""The evidence on one GPU: runs of a list side by side, each worker taking the next. For whoever repeats the store.

A step of a small network is mostly the launching of small kernels, and the cores that launch them are what a GPU waits
for. `faster` takes most of them away: the convolutions are recorded once and replayed as a CUDA graph, the images of a
step travel and turn together, CORAL compares all pairs of domains in one go, MLDG looks ahead with its own weights, the
optimiser moves all weights in one kernel. The arithmetic and every draw stay what `training.fit` does; sums may differ
in the last digits, as they do between any two devices.

``python -m tools.gpu TASKS.json FOLDER WORKERS SECONDS``: TASKS is a list of {problem, method, left_out, trial, seed},
with "steps" where they differ from the problem's and "plain": true to leave the recording away; rows go to
``FOLDER/rows-*.csv``, log odds to ``FOLDER/predictions``. No run begins after SECONDS. Started again it goes on.
"""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medgen_utils import training
from medgen_utils.benchmark import protocol, runs
from medgen_utils.benchmark.entries import contender_of, problem_of
from medgen_utils.domains import Batch, joined
from medgen_utils.feature_alignment import CORAL
from medgen_utils.meta_learning import MLDG

# whose networks meet all images of a step in one pass with their own weights and draw nothing inside: others stay plain
ONE_PASS = (
    "ERM", "ERM, equal seconds", "reference: target included", "weight averaging", "per-image standardization",
    "intensity jitter", "stain jitter", "mixup", "CORAL", "DANN", "V-REx", "group DRO", "Fishr", "SimCLR",
)  # fmt: skip
RECORDED = (*ONE_PASS, "MLDG")  # which meets the images of a step in two passes, the second with other weights


class Replay:
    """The forward pass of ``layers`` in training, recorded for each shape of images and replayed; else as it was."""

    def __init__(self, layers: nn.Module):
        self.layers, self.plain, self.recorded = layers, layers.forward, {}

    def __call__(self, x: Tensor) -> Tensor:
        if not (x.is_cuda and self.layers.training and torch.is_grad_enabled()):
            return self.plain(x)
        if x.shape not in self.recorded:
            self.recorded[x.shape] = self.record(x)
        return self.recorded[x.shape](x)

    def record(self, x: Tensor) -> nn.Module:
        """Record at images like x (n, C, H, W); the statistics of batch normalization are put back afterwards."""
        before = [buffer.clone() for buffer in self.layers.buffers()]
        recorded = torch.cuda.make_graphed_callables(_Shell(self.layers, self.plain), (x.detach().clone(),))
        for buffer, value in zip(self.layers.buffers(), before, strict=True):
            buffer.copy_(value)
        return recorded


class _Shell(nn.Module):
    """A module of its own around the layers, since recording replaces a module's forward."""

    def __init__(self, layers: nn.Module, plain):
        super().__init__()
        self.layers = layers
        self.plain = plain

    def forward(self, x: Tensor) -> Tensor:
        return self.plain(x)


def build_recorded(*args, **options) -> training.ERM:
    """`training.build`, its `SmallCNN` replaying its layers."""
    model = training.build(*args, **options)
    model.featurizer.layers.forward = Replay(model.featurizer.layers)
    return model


def ready_together(
    batches: Sequence[Batch], augment: training.Augmentation | None, generator: torch.Generator, device: str
) -> list[Batch]:
    """What `training.fit` makes of the batches of a step, with one transfer, and turned together."""
    sizes = [len(batch.y) for batch in batches]
    x, y, domain = (part.to(device) for part in joined(batches))
    if augment in (training.flips, training.flips_and_turns):
        turns = augment is training.flips_and_turns
        draws = [_turns_of(size, turns, generator) for size in sizes]
        mirrored, quarters = (torch.cat(parts) for parts in zip(*draws, strict=True))
        x = training.mirror(x, mirrored)
        x = training.turn(x, quarters) if turns else x
    elif augment:
        x = torch.cat([augment(part, generator) for part in x.split(sizes)])
    x = x.contiguous(memory_format=torch.channels_last)
    return [Batch(*parts) for parts in zip(x.split(sizes), y.split(sizes), domain.split(sizes), strict=True)]


def _turns_of(size: int, turns: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws of a domain's flips and quarter turns, in the order of `training.flips_and_turns`."""
    mirrored = torch.rand(size, generator=generator) < 0.5
    return mirrored, torch.randint(4, (size,), generator=generator) if turns else mirrored


def align_together(self: CORAL, z: Sequence[Tensor], logits: Sequence[Tensor], y: Sequence[Tensor]) -> Tensor:
    """`CORAL.alignment` of domains with equally many images: all pairs at once, each twice and each with itself."""
    stacked = torch.stack(z)
    means = stacked.mean(1)
    centred = stacked - means[:, None]
    covariances = centred.mT @ centred / (stacked.shape[1] - 1)
    apart = ((moment[:, None] - moment).square().flatten(2).mean(2).sum() for moment in (means, covariances))
    return self.strength * sum(apart) / max(1, len(z) * (len(z) - 1))


def look_ahead_in_place(self: MLDG, batches: Sequence[Batch]) -> dict[str, float]:
    """`MLDG.update` of first order with the look-ahead made on the weights that recorded layers read, and taken back.

    What batch normalization remembers of it is measured anew before anybody reads it, as after any step of MLDG.
    """
    train, test = (joined([batches[i] for i in side]) for side in self.virtual_domains(len(batches)))
    weights = list(self.parameters())
    kept = [weight.detach().clone() for weight in weights]
    value = F.cross_entropy(self.predict(train.x), train.y)
    gradients = [gradient.clone() for gradient in torch.autograd.grad(value, weights)]  # a replay writes on its own
    with torch.no_grad():
        torch._foreach_add_(weights, gradients, alpha=-self.inner_learning_rate)
    test_value = F.cross_entropy(self.predict(test.x), test.y)
    torch._foreach_add_(gradients, list(torch.autograd.grad(test_value, weights)), alpha=self.beta)
    with torch.no_grad():
        torch._foreach_copy_(weights, kept)
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient
    self.take_step()
    self.recent_images.add(self, batches)
    return {"loss": (value + self.beta * test_value).item()}


@contextmanager
def faster() -> Iterator[None]:
    """Runs inside record their convolutions and do together what `training.fit` does one by one.

    Only for methods of `RECORDED`: MMD and MASF inherit what is replaced in CORAL and MLDG, and would become those.
    """
    fused = partial(torch.optim.AdamW, fused=True)
    with (
        mock.patch.object(protocol, "build", build_recorded),
        mock.patch.object(training, "ready", ready_together),
        mock.patch.object(CORAL, "alignment", align_together),
        mock.patch.object(MLDG, "update", look_ahead_in_place),
        mock.patch.object(torch.optim, "AdamW", fused),
    ):
        yield


def task_of(entry: dict) -> protocol.Task:
    """A run of the list."""
    problem = problem_of(entry["problem"])
    problem = replace(problem, steps=entry.get("steps", problem.steps), name=entry.get("name", problem.name))
    contender, left_out = contender_of(entry["method"]), tuple(entry["left_out"])
    return protocol.Task(problem, contender, left_out, entry["trial"], entry["seed"])


def next_of(tasks: list[dict], folder: Path) -> dict | None:
    """Take the next run of the list, None at its end; the workers share a counter under a lock."""
    with open(folder / "counter", "a+") as counter:
        fcntl.flock(counter, fcntl.LOCK_EX)
        counter.seek(0)
        position = int(counter.read() or 0)
        counter.truncate(0)
        counter.write(str(position + 1))
    return tasks[position] if position < len(tasks) else None


def work(tasks: list[dict], folder: Path, number: int, end: float) -> None:
    """Take runs until the list or the time is at its end."""
    torch.set_num_threads(1)
    device = training.training_device()
    known, out = runs.provenance(device), folder / f"rows-{number}-{time.time_ns()}.csv"
    while time.time() < end and (entry := next_of(tasks, folder)) is not None:
        task = task_of(entry)
        keep = None if entry.get("name") else runs.folder_of(task, folder / "predictions")
        begun = time.time()
        try:
            with faster() if entry["method"] in RECORDED and not entry.get("plain") else nullcontext():
                rows = protocol.run_task(task, device, predictions=keep)
        except Exception as error:
            print(entry, repr(error), flush=True)
            continue
        rows = rows.assign(**known, rows=len(rows), plain=bool(entry.get("plain")))
        rows.to_csv(out, mode="a", index=False, header=not out.exists(), lineterminator="\n")
        print(f"{time.time() - begun:.1f} s, {entry}", flush=True)


def main(tasks: str, folder: str, workers: str, seconds: str) -> None:
    """So many workers, each a process of its own; ends when all have ended."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    begin = [sys.executable, "-m", "tools.gpu", "--worker", tasks, folder]
    end = str(time.time() + float(seconds))
    crew = [subprocess.Popen([*begin, str(number), end]) for number in range(int(workers))]
    for process in crew:
        process.wait()


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        _, _, tasks, folder, number, end = sys.argv
        work(json.loads(Path(tasks).read_text()), Path(folder), int(number), float(end))
    else:
        main(*sys.argv[1:])
