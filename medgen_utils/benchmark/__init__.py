"""One protocol for every method: the fair experiment, the sweep of all of them. Chapters: remedies, scoreboard."""

from medgen_utils.benchmark.comparison import compare
from medgen_utils.benchmark.entries import Contender
from medgen_utils.benchmark.frozen import SCRATCH, compare_frozen, few_patients
from medgen_utils.benchmark.protocol import KEY, Task, run, run_task
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import find_budget, provenance, read_results, sweep
from medgen_utils.selection import RULES

__all__ = [
    "KEY", "RULES", "SCRATCH", "About", "Contender", "Result", "Task", "compare", "compare_frozen", "few_patients",
    "find_budget", "provenance", "read_results", "run", "run_task", "sweep",
]  # fmt: skip
