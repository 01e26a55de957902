"""The result of a diagnosis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

_EXACT_DB = 55.0  # float16 weights give about 60 dB and more, int8 ones 20 to 45
_GOOD_DB = 30.0  # a layer above this seldom costs accuracy
_GOOD_END_DB = 15.0  # at the end of the file, with the noise of all layers


@dataclass(frozen=True, slots=True)
class LayerDiagnosis:
    """How one layer of a file compares with the same layer in float.

    Attributes:
        name: the Keras layer's name if it is known.
        key: what a quantizer calls it (for leaving it in float).
        kind: the operator.
        position: its place in order of execution, from 0.
        own_sqnr: signal to quantization noise, dB, of the layer alone: both get the
            same values, those that the quantized layer can read. Infinite if equal.
        sqnr: the same in the whole file, with the noise of all layers before.
        cosine: similarity of the two outputs in the whole file, -1…1.
        range_use: share of the representable range that real values use, 0…1; None
            if the output is float.
        saturated: share of real values beyond that range, 0…1; None if it is float.
        bits: of one value.
        is_float: whether it computes in float.
        wrong: whether its weights, biases or output scale were changed after conversion.
        remark: the likely cause in words; empty if none is recognised.

    Example::

        for layer in diagnosis.in_order:
            print(layer.name, f"{layer.own_sqnr:.0f} dB", layer.remark)
    """

    name: str
    key: str
    kind: str
    position: int
    own_sqnr: float
    sqnr: float
    cosine: float
    range_use: float | None
    saturated: float | None
    bits: int
    is_float: bool
    wrong: bool
    remark: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; an infinite ratio is null."""
        return {
            "name": self.name,
            "key": self.key,
            "kind": self.kind,
            "position": self.position,
            "own_sqnr_db": _finite(self.own_sqnr),
            "sqnr_db": _finite(self.sqnr),
            "cosine": round(self.cosine, 6),
            "range_use": None if self.range_use is None else round(self.range_use, 4),
            "saturated": None if self.saturated is None else round(self.saturated, 6),
            "bits": self.bits,
            "float": self.is_float,
            "wrong": self.wrong,
            "remark": self.remark,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All layers of a file.

    Attributes:
        layers: the worst first: those that were changed, then by ``own_sqnr``.
        images: how many real images were run.
        notes: what concerns the file as a whole, in words.

    Example::

        diagnosis = diagnose(quantized, original, batch)
        print(diagnosis.worst.name, diagnosis.is_good)
    """

    layers: tuple[LayerDiagnosis, ...]
    images: int
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> LayerDiagnosis:
        """The layer to inspect first."""
        return self.layers[0]

    @property
    def in_order(self) -> tuple[LayerDiagnosis, ...]:
        """The layers in order of execution."""
        return tuple(sorted(self.layers, key=lambda layer: layer.position))

    @property
    def is_exact(self) -> bool:
        """Whether there is nothing to diagnose: every layer computes what the float one does."""
        return self.worst.own_sqnr > _EXACT_DB and not self.worst.wrong

    @property
    def is_good(self) -> bool:
        """Whether no layer stands out."""
        quiet = self.in_order[-1].sqnr > _GOOD_END_DB
        return quiet and self.worst.own_sqnr > _GOOD_DB and not self.worst.remark

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "images": self.images,
            "layers": [layer.to_json() for layer in self.layers],
            "worst": self.worst.name,
            "notes": list(self.notes),
        }


def _finite(decibels: float) -> float | None:
    return round(decibels, 2) if math.isfinite(decibels) else None
