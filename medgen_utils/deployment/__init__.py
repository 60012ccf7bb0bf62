"""The experiments of the chapter on what comes after deployment: adapt, share, invent, watch. Chapter: outlook."""

from medgen_utils.deployment.hospitals import adapted, side_by_side
from medgen_utils.deployment.inventing import few_patients, train_on_drawn
from medgen_utils.deployment.scanner import (
    OURS,
    in_two_orders,
    over_batch_sizes,
    over_gains,
    over_shares,
    patients_of,
    train_elsewhere,
)
from medgen_utils.deployment.sharing import train_together
from medgen_utils.deployment.streams import CHARTS, GRADED, Design, Watched, alarm_rates, slowly, suddenly, watch
from medgen_utils.generative import ClassGaussians

__all__ = [
    "CHARTS", "GRADED", "OURS", "ClassGaussians", "Design", "Watched", "adapted", "alarm_rates", "few_patients",
    "in_two_orders", "over_batch_sizes", "over_gains", "over_shares", "patients_of", "side_by_side", "slowly",
    "suddenly", "train_elsewhere", "train_on_drawn", "train_together", "watch",
]  # fmt: skip
