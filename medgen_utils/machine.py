"""The machine that everything runs on: device, threads, progress bars, runs side by side. Serves all chapters.

No other module asks for them, so one place decides.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm


def is_static() -> bool:
    """Whether the outputs are made for the site (MEDGEN_STATIC=1, set by ``make execute``) and not for a person."""
    return os.environ.get("MEDGEN_STATIC", "0") == "1"


def show_progress() -> bool:
    """Progress bars are for persons: none in outputs made for the site, none in test runs."""
    return not is_static() and "PYTEST_CURRENT_TEST" not in os.environ


def progress_bar(
    steps: Iterable | None = None,
    *,
    total: int | None = None,
    title: str = "",
    in_bytes: bool = False,
    show: bool = True,
) -> tqdm:
    """A bar over ``steps``, or one that is moved by hand with ``update(n)``; nothing where `show_progress` says no."""
    unit = {"unit": "B", "unit_scale": True} if in_bytes else {}
    return tqdm(steps, total=total, desc=title or None, disable=not (show and show_progress()), leave=False, **unit)


def training_device() -> str:
    """Where training runs unless one says otherwise: "cuda" where there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_of(model: nn.Module) -> torch.device:
    """Where the weights of a module lie; the CPU for one that has none."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def device_name(device: str | torch.device) -> str:
    """What to call a device in a table of results: the GPU's name, or the processor's kind and number of cores."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {joblib.cpu_count()} cores"


@contextmanager
def threads(number: int) -> Iterator[None]:
    """torch on so many threads inside (also as a decorator): its sums depend on them in the last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def keep_memory() -> bool:
    """Have large tensors live in memory that the process keeps, up to a GB of it: once a process, for `fit` and others.

    Memory that is fresh from the system costs a page fault every 4 kB: half of a training step at 128 pixels, and two
    thirds of a prediction at 64. What is computed stays the same, bit for bit. False where nothing was changed: this
    is a setting of glibc, Linux's C library.
    """
    if sys.platform != "linux" or not hasattr(library := ctypes.CDLL(None), "mallopt"):
        return False
    from_the_system, back_to_the_system = -3, -1  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD of malloc.h
    return all(library.mallopt(threshold, 1 << 30) for threshold in (from_the_system, back_to_the_system))


def with_one_thread(function: Callable[..., Any], task: tuple) -> Any:
    """``function(*task)`` on one thread: a function by itself, since another process must be able to import it."""
    with threads(1):
        return function(*task)


def jobs_of(n_jobs: int | None = None, device: str | None = None) -> int:
    """How many runs go side by side unless one says otherwise: one a core, one alone on a GPU."""
    if n_jobs is not None:
        return n_jobs
    return 1 if (device or training_device()).startswith("cuda") else joblib.cpu_count()


def in_words(seconds: float) -> str:
    """A time to wait for, to the precision that a person needs: 40 seconds, 12 minutes, 2.5 hours."""
    if seconds < 90:
        return f"{max(2, round(seconds))} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def run_side_by_side(
    function: Callable[..., Any],
    tasks: Sequence[tuple],
    *,
    n_jobs: int | None = None,
    device: str | None = None,
    ordered: bool = True,
    title: str = "",
) -> Iterator[Any]:
    """Yield ``function(*task)`` of every task as it ends, one thread each, in the order of the tasks if ``ordered``.

    ``n_jobs`` defaults to the number of cores, and to 1 where the runs use the one GPU (``device``, by default
    `training_device`). One thread a run keeps the results the same however many run at once. The runs are joblib tasks:
    ``joblib.parallel_config("dask")`` around the loop sends them to a cluster.
    """
    parallel = joblib.Parallel(
        n_jobs=jobs_of(n_jobs, device), return_as="generator" if ordered else "generator_unordered"
    )
    results = parallel(joblib.delayed(with_one_thread)(function, task) for task in tasks)
    with warnings.catch_warnings():  # joblib replaces a worker that has grown; the run it held is not lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        yield from progress_bar(results, total=len(tasks), title=title)


def map_runs(function: Callable[..., Any], tasks: Sequence[tuple], n_jobs: int | None = None) -> list[Any]:
    """``[function(*task) for task in tasks]``, `run_side_by_side`, in the order of the tasks."""
    return list(run_side_by_side(function, tasks, n_jobs=n_jobs))


@torch.no_grad()
def in_batches(model: object, function: Callable[[Tensor], Tensor], x: Tensor, batch_size: int = 512) -> Tensor:
    """``function`` (predict or features of ``model``) of images x (N, C, H, W), (N, ...) on the CPU.

    The batches go to the model's device. A module that is training is put in evaluation mode and back, also after an
    error; a model that is no module is taken as it is.
    """
    keep_memory()
    is_module = isinstance(model, nn.Module)
    device = device_of(model) if is_module else x.device
    was_training = is_module and model.training
    if was_training:
        model.eval()
    try:
        parts = (part.to(device).contiguous(memory_format=torch.channels_last) for part in x.split(batch_size))
        return torch.cat([function(part).cpu() for part in parts])
    finally:
        if was_training:
            model.train()
