"""The experiments of the chapter on what comes after deployment: adapt, share, invent, watch. Chapter: outlook."""

from medgen_utils.deployment.hospitals import adapted
from medgen_utils.deployment.inventing import train_on_drawn
from medgen_utils.deployment.scanner import (
    in_two_orders,
    over_batch_sizes,
    over_gains,
    over_shares,
    train_elsewhere,
)
from medgen_utils.deployment.sharing import train_together
from medgen_utils.deployment.streams import GRADED, Design, Watched, alarm_rates, watch

__all__ = [
    "GRADED",
    "Design",
    "Watched",
    "adapted",
    "alarm_rates",
    "in_two_orders",
    "over_batch_sizes",
    "over_gains",
    "over_shares",
    "train_elsewhere",
    "train_on_drawn",
    "train_together",
    "watch",
]  # fmt: skip
