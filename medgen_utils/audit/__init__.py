"""Audit of a model from its predictions alone, by domain. Chapter: evaluation_protocols."""

from medgen_utils.audit.report import Audit, audit

__all__ = [
    "Audit", "audit",
]  # fmt: skip
