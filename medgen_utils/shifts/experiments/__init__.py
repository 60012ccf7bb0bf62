"""The experiments of the chapter on domain shift: what the tests notice, and what a shift costs."""

from medgen_utils.shifts.experiments.causes import Causes, home_model, one_at_a_time
from medgen_utils.shifts.experiments.habit import hospital_habit
from medgen_utils.shifts.experiments.hospitals import (
    Targets,
    alarms_between_halves,
    apart_against_loss,
    pairs_told_apart,
    read_targets,
)
from medgen_utils.shifts.experiments.prevalences import (
    NUMBERS,
    hospital_numbers,
    interval_coverage,
    over_prevalences,
)
from medgen_utils.shifts.experiments.trials import TESTS, alarm_rates, every_test, in_words, power, shares

__all__ = [
    "NUMBERS", "TESTS", "Causes", "Targets", "alarm_rates", "alarms_between_halves", "apart_against_loss",
    "every_test", "home_model", "hospital_habit", "hospital_numbers", "in_words", "interval_coverage",
    "one_at_a_time", "over_prevalences", "pairs_told_apart", "power", "read_targets", "shares",
]  # fmt: skip
