"""One protocol for every method: the fair experiment, the sweep of all of them. Chapters: remedies, scoreboard."""

from medgen_utils.benchmark.protocol import KEY, RULES, Task, chosen, provenance, read_results, run, run_task, sweep

__all__ = [
    "KEY", "RULES", "Task", "chosen", "provenance", "read_results", "run", "run_task", "sweep",
]  # fmt: skip
