"""Meta-learning: rehearse the unseen hospital in every step of training. Chapter: meta_learning."""

from medgen_utils.meta_learning import directions, two_weights
from medgen_utils.meta_learning.algorithms import MASF, MLDG, Fish
from medgen_utils.meta_learning.objectives import global_class_alignment, meta_gradient

__all__ = ["MASF", "MLDG", "Fish", "directions", "global_class_alignment", "meta_gradient", "two_weights"]
