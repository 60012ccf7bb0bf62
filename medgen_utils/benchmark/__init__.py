"""One protocol for every method: the fair experiment, the sweep of all of them. Chapters: remedies, scoreboard."""

from medgen_utils.benchmark import evidence, mechanisms, spread
from medgen_utils.benchmark.cheating import cheating
from medgen_utils.benchmark.comparison import compare
from medgen_utils.benchmark.duels import deal, pool_of
from medgen_utils.benchmark.entries import ON_FEATURES, Contender
from medgen_utils.benchmark.few_labels import few_labels, keep_labels
from medgen_utils.benchmark.frozen import SCRATCH, compare_frozen, few_patients
from medgen_utils.benchmark.inside import dealt_out, look_inside
from medgen_utils.benchmark.leak import leak
from medgen_utils.benchmark.one_source import OneSource, together, train_at_home, train_on_each
from medgen_utils.benchmark.pools import best_pool, compare_pools, part, pooled
from medgen_utils.benchmark.protocol import KEY, Task, run, run_task
from medgen_utils.benchmark.reference import left_out
from medgen_utils.benchmark.repair import repair_control
from medgen_utils.benchmark.result import About, Result
from medgen_utils.benchmark.runs import find_budget, provenance, read_results, sweep
from medgen_utils.benchmark.single_site import single_site_studies
from medgen_utils.benchmark.site_probe import site_probes
from medgen_utils.benchmark.starts import by_steps, same_size
from medgen_utils.benchmark.three_rules import candidates, chosen_by_rules
from medgen_utils.benchmark.watched import watch
from medgen_utils.evaluation import with_interval
from medgen_utils.selection import RULES

__all__ = [
    "KEY", "ON_FEATURES", "RULES", "SCRATCH", "About", "Contender", "OneSource", "Result", "Task",
    "best_pool", "by_steps", "candidates", "cheating", "chosen_by_rules", "compare", "compare_frozen",
    "compare_pools", "deal", "dealt_out", "evidence", "few_labels", "few_patients", "find_budget", "keep_labels",
    "leak", "left_out", "look_inside", "mechanisms", "part", "pool_of", "pooled", "provenance", "read_results",
    "repair_control", "run", "run_task", "same_size", "single_site_studies", "site_probes", "spread", "sweep",
    "together", "train_at_home", "train_on_each", "watch",
    "with_interval",
]  # fmt: skip
