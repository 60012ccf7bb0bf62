"""The machine that everything runs on: device, threads, progress bars, runs side by side. Serves all chapters.

No other module asks for them, so one place decides.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
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


def training_device() -> str:
    """Where training runs unless one says otherwise: "cuda" where there is a GPU, else "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


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


@torch.no_grad()
def in_batches(model: object, function: Callable[[Tensor], Tensor], x: Tensor, batch_size: int = 512) -> Tensor:
    """``function`` (predict or features of ``model``) of images x (N, C, H, W), (N, ...) on the CPU.

    The batches go to the model's device. A module that is training is put in evaluation mode and back, also after an
    error; a model that is no module is taken as it is.
    """
    is_module = isinstance(model, nn.Module)
    device = next(model.parameters(), x).device if is_module else x.device
    was_training = is_module and model.training
    if was_training:
        model.eval()
    try:
        parts = (part.to(device).contiguous(memory_format=torch.channels_last) for part in x.split(batch_size))
        return torch.cat([function(part).cpu() for part in parts])
    finally:
        if was_training:
            model.train()
