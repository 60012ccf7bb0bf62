"""What only figures of the book need: a file a chapter, and schematics drawn by hand as SVG. Serves all chapters."""

from medgen_utils.figures.drawings import schematic

__all__ = ["schematic"]
