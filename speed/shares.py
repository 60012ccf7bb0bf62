"""Where the time of a line of the table goes, by operation of torch: `python -m speed.shares` writes ``shares.md``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from medgen_utils.machine import keep_memory, threads
from medgen_utils.shifts.corruptions import pixelate
from speed.damage import PICTURES, PIXELS, SHARE
from speed.methods import STEPS, steps

FILE = Path(__file__).with_name("shares.md")
METHODS, REPEATS, SHOWN = ("ERM", "DANN"), 10, 6
HEAD = """# Where the time goes

Of what `speed/README.md` names as below its aim, written by `python -m speed.shares`: the operations of torch that take
most of the time, each without what it calls. A step is that of the table.
"""


def operations(work: Callable[[], object], times: int = 1) -> list[tuple[str, float, float]]:
    """Name, share of the time, and calls a repeat, of which ``work`` has ``times`` inside; the largest share first."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(REPEATS):
            work()
    events = sorted(found.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [(event.key, event.self_cpu_time_total / total, event.count / REPEATS / times) for event in events]


def section(title: str, work: Callable[[], object], times: int = 1) -> str:
    """A table of the largest shares, and what all the others take together."""
    found = operations(work, times)
    lines = [f"\n## {title}\n", "| operation | share | calls |", "|---|---:|---:|"]
    lines += [f"| `{name}` | {share:.0%} | {calls:.0f} |" for name, share, calls in found[:SHOWN]]
    rest = found[SHOWN:]
    lines.append(f"| {len(rest)} others | {sum(e[1] for e in rest):.0%} | {sum(e[2] for e in rest):.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    keep_memory()
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(PICTURES, 3, PIXELS, PIXELS, generator=generator)
    with threads(1):
        parts = [
            section(f"{name}, {side}", work, STEPS)
            for name in METHODS
            for side, work in zip(("a step of ours", "a published step"), steps(name, True), strict=True)
        ]
        parts.append(section("Pixelate", lambda: pixelate(x, 1 - SHARE, generator)))
    FILE.write_text(HEAD + "".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
