"""What a notebook's first cell calls: mode, device, versions and data at a glance. Serves all chapters."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from importlib import metadata

import pandas as pd

from medgen_utils.data import find
from medgen_utils.machine import device_name, training_device
from medgen_utils.plotting import use_house_style

PACKAGES = ("torch", "torchvision", "numpy", "pandas", "scikit-learn", "matplotlib")


def mode() -> str:
    """``fast`` (a first look: few seeds, few steps) or ``full`` (what the committed outputs show), from MEDGEN_MODE."""
    value = os.environ.get("MEDGEN_MODE", "fast")
    if value not in ("fast", "full"):
        raise ValueError(f"MEDGEN_MODE={value!r}: use 'fast' or 'full'")
    return value


@dataclass(frozen=True)
class Context:
    """How this run of a chapter is done. ``pick(fast, full)`` chooses a value by mode."""

    chapter: str
    mode: str
    device: str
    seeds: tuple[int, ...]
    steps: int
    versions: dict[str, str]
    started: float = field(default_factory=time.perf_counter)

    def pick(self, fast, full):
        """``fast`` in fast mode, ``full`` in full mode."""
        return full if self.mode == "full" else fast

    def footer(self, seconds: float | None = None, n_seeds: int | None = None) -> str:
        """The line under a result figure: mode, seeds, versions, device, seconds."""
        seeds = len(self.seeds) if n_seeds is None else n_seeds
        parts = [f"{self.mode} mode", f"{seeds} seed{'s' if seeds != 1 else ''}", f"torch {self.versions['torch']}"]
        parts.append(self.device)
        if seconds is not None:
            parts.append(f"{seconds:.0f} s")
        return " · ".join(parts)


def setup(chapter: str, data: tuple[str, ...] = ()) -> Context:
    """Set the house style of figures, print how the chapter will run, and return the `Context`.

    ``data`` names the data sets of the chapter (`medgen_utils.data.load`); one that is not on this machine is
    announced here and downloaded when the chapter loads it.
    """
    use_house_style()
    pd.set_option("display.max_colwidth", 80)  # the scanners of a hospital are a list
    device = training_device()
    versions = {name: metadata.version(name).split("+")[0] for name in PACKAGES}
    full = mode() == "full"
    context = Context(
        chapter, mode(), device, tuple(range(5 if full else 2)), 500 if full else 100, versions, time.perf_counter()
    )
    rows = {
        "chapter": chapter,
        "mode": f"{context.mode} ({len(context.seeds)} seeds, {context.steps} training steps)",
        "device": device if device == "cpu" else device_name(device),
        "python": platform.python_version(),
        **versions,
    }
    rows |= {f"data: {name}": "found" if find(name) else "will be downloaded when first used" for name in data}
    width = max(map(len, rows))
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows.items()))
    return context
