"""Audit of embeddings instead of predictions: what they know of the hospital and of the disease."""

from medgen_utils.audit.embeddings.read import read_embeddings
from medgen_utils.audit.embeddings.report import audit_embeddings

__all__ = ["audit_embeddings", "read_embeddings"]
