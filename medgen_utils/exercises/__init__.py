"""The checks of the exercises, one file a chapter: ``check("gap.1", my_function)``. Serves all chapters."""

from medgen_utils.exercises.checks import check

__all__ = ["check"]
