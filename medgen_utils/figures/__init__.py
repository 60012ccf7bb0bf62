"""What only figures of the book need: a file a chapter, and schematics drawn by hand as SVG. Serves all chapters."""

from medgen_utils.figures import (
    concept_shift,
    domain_shift,
    feature_alignment,
    generalization_gap,
    outlook,
    self_supervision,
)
from medgen_utils.figures.drawings import schematic
from medgen_utils.figures.pictures import at_two_sizes, by_domain
from medgen_utils.figures.sortable import sortable

__all__ = [
    "at_two_sizes",
    "by_domain",
    "concept_shift",
    "domain_shift",
    "feature_alignment",
    "generalization_gap",
    "outlook",
    "schematic",
    "self_supervision",
    "sortable",
]
