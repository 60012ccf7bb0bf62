"""Audit of a model from its predictions alone, by domain. Chapter: evaluation_reports."""

from medgen_utils.audit.read import read_predictions
from medgen_utils.audit.report import Audit, audit

__all__ = [
    "Audit", "audit", "read_predictions",
]  # fmt: skip
