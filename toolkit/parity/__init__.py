"""Parity: proof that a model file predicts what the Keras model predicts."""

from __future__ import annotations

from toolkit.parity.budgets import budget_for
from toolkit.parity.compare import Candidate, compare
from toolkit.parity.reference import Reference
from toolkit.parity.report import FAIL, PASS, REFUSED, ArtifactParity, ParityReport

__all__ = [
    "FAIL",
    "PASS",
    "REFUSED",
    "ArtifactParity",
    "Candidate",
    "ParityReport",
    "Reference",
    "budget_for",
    "compare",
]
