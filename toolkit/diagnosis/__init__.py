"""Which layer of a quantized file is at fault: each layer alone, and all of them together."""

from __future__ import annotations

from toolkit.diagnosis.measure import diagnose
from toolkit.diagnosis.report import Diagnosis, LayerDiagnosis

__all__ = ["Diagnosis", "LayerDiagnosis", "diagnose"]
