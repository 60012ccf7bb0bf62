"""The figures of the chapter on domain shift."""

from medgen_utils.figures.domain_shift.causes import changes_grid, gallery, noticed_grid, power_curves, verdict_dots
from medgen_utils.figures.domain_shift.hospitals import counted_and_estimated, dumbbells, in_the_store
from medgen_utils.figures.domain_shift.pictures import calls, clouds, deals, origins, outputs
from medgen_utils.figures.domain_shift.prevalence import estimates, prevalence_picture, what_moves

__all__ = [
    "calls", "changes_grid", "clouds", "counted_and_estimated", "deals", "dumbbells", "estimates", "gallery",
    "in_the_store",
    "noticed_grid", "origins", "outputs", "power_curves", "prevalence_picture", "verdict_dots", "what_moves",
]  # fmt: skip
