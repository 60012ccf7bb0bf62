"""Several methods on the reader's own images: one table and one page. Chapter: scoreboard."""

from medgen_utils.audit.comparison.report import ComparisonReport, report_comparison

__all__ = ["ComparisonReport", "report_comparison"]
