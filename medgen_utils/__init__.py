"""The small package behind the book: one module a chapter, imported by name (``from medgen_utils import training``)."""

__version__ = "0.1.0"
