"""Negative controls: files that are broken on purpose, each of which the gate must fail."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters import formats
from runtime.backends import AUTO, BackendOptions
from runtime.errors import BackendError, ExportError, InputError
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts
from runtime.terminal.silence import silenced
from runtime.workers.opening import open_backend
from toolkit.parity.breaking import flip_weight_byte, shift_zero_point
from toolkit.parity.compare import Candidate, compare
from toolkit.parity.metrics import allclose
from toolkit.parity.report import PASS
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from exporters.request import ExportRequest
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import Manifest
    from toolkit.parity.reference import Reference

_NOISE_IMAGES, _DARK = 128, 26  # noise in a tenth of the pixel range


@dataclass(frozen=True, slots=True)
class ControlResult:
    """The verdict of the gate on one broken file.

    Attributes:
        control: how the file was broken.
        format: of the file.
        caught: whether the gate failed it; None if the file cannot be broken this way.
        reasons: those of the gate; or why the control does not apply.
        allclose: whether an element-wise comparison of the outputs, on the same arrays,
            would have let the file pass, by tolerance; empty if nothing was run.

    Example:
        >>> result = ControlResult("wrong zero point", "tflite", None, ("does not apply",))
        >>> result.to_json()["caught"] is None
        True
    """

    control: str
    format: str
    caught: bool | None
    reasons: tuple[str, ...]
    allclose: dict[str, bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"reasons": list(self.reasons)}


@dataclass(frozen=True, eq=False)
class Base:
    """A correct file, and what is needed to export it again.

    Attributes:
        artifact: the file, with a manifest.
        request: for exporting it once more with other calibration images.
        budget: the limits; None takes those of the format.

    Example::

        base = Base(file, build_request(trained, ExportOptions(()), calibrate=True))
    """

    artifact: Artifact
    request: ExportRequest
    budget: ParityBudget | None = None

    @property
    def manifest(self) -> Manifest:
        """Its manifest.

        Raises:
            InputError: another tool made the file.
        """
        if self.artifact.manifest is None:
            raise InputError(f"{self.artifact.path} has no manifest: export it with this toolkit")
        return self.artifact.manifest


def self_check(
    base: Base,
    reference: Reference,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    reporter: Reporter = SILENT,
) -> tuple[ControlResult, ...]:
    """Break a correct file in each known way, and let the gate judge the broken ones.

    Args:
        base: a file that passes the gate.
        reference: the Keras model.
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), the truth.
        reporter: shows progress.

    Raises:
        InputError: another tool made the file.

    Example::

        results = self_check(base, reference, images, labels)
        missed = [result.control for result in results if result.caught is False]
    """
    kind = base.manifest.format
    if compare(reference, [Candidate(base.artifact)], images, labels, base.budget).verdict != PASS:
        reason = f"{base.artifact.path.name} itself fails the gate: a self-check proves nothing"
        return (ControlResult("nothing", kind, caught=None, reasons=(reason,)),)
    results = []
    with reporter.task("negative controls", len(CONTROLS)) as tick:
        for name, broken in CONTROLS.items():
            results.append(_try(name, broken, base, reference, images, labels))
            tick(1)
    return tuple(results)


def _try(
    name: str,
    broken: Callable[[Base], Artifact | None],
    base: Base,
    reference: Reference,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> ControlResult:
    kind = base.manifest.format
    try:
        artifact = broken(base)
    except (BackendError, ExportError) as error:
        return ControlResult(name, kind, caught=True, reasons=(str(error),))
    if artifact is None:
        return ControlResult(name, kind, caught=None, reasons=("does not apply to this file",))
    (entry,) = compare(reference, [Candidate(artifact)], images, labels, base.budget).artifacts
    return ControlResult(
        control=name,
        format=kind,
        caught=entry.verdict != PASS,
        reasons=entry.reasons,
        allclose=_element_wise(artifact, reference, images),
    )


def _element_wise(
    artifact: Artifact, reference: Reference, images: NDArray[np.uint8]
) -> dict[str, bool]:
    """Compare as other tools do: output arrays of the same input arrays, no names, no files."""
    batch = reference.spec.apply(images)
    with silenced():
        classifier = from_artifact(artifact)
    with classifier:
        return allclose(reference.predict(batch), classifier.run(batch))


def _flipped_byte(base: Base) -> Artifact | None:
    return _packed(base, flip_weight_byte(artifacts.payload(base.artifact), base.artifact.suffix))


def _zero_point(base: Base) -> Artifact | None:
    return _packed(base, shift_zero_point(artifacts.payload(base.artifact), base.artifact.suffix))


def _noise(base: Base) -> Artifact | None:
    exporter = formats.registry()[base.manifest.format]()
    if base.request.calibration is None or not exporter.needs_calibration:
        return None
    spec = base.manifest.preprocess
    shape = (_NOISE_IMAGES, *spec.shape)
    noise = np.random.default_rng(0).integers(0, _DARK, shape).astype(np.uint8)
    calibration = replace(base.request.calibration, batch=spec.apply(noise))
    draft = exporter.draft(replace(base.request, calibration=calibration))
    return _packed(base, draft.data)


def _swapped_labels(base: Base) -> Artifact | None:
    first, second, *rest = base.manifest.labels
    return _restated(base, replace(base.manifest, labels=(second, first, *rest)))


def _no_scale(base: Base) -> Artifact | None:
    spec = base.manifest.preprocess
    other = 1.0 if abs(spec.scale * 255 - 1) < 1e-3 else spec.scale / 255
    return _restated(base, replace(base.manifest, preprocess=replace(spec, scale=other)))


def _polarity(base: Base) -> Artifact | None:
    spec = base.manifest.preprocess
    other = "as-is" if spec.polarity == "invert" else "invert"
    return _restated(base, replace(base.manifest, preprocess=replace(spec, polarity=other)))


def _restated(base: Base, manifest: Manifest) -> Artifact:
    return artifacts.restate(base.artifact, manifest)


def _packed(base: Base, payload: bytes | None) -> Artifact | None:
    """Seal a broken payload with a manifest that describes its tensors as they are now."""
    if payload is None:
        return None
    draft = replace(base.artifact, data=payload, manifest=None)
    with silenced(), open_backend(draft, AUTO, BackendOptions()) as backend:
        manifest = replace(base.manifest, input=backend.input, output=backend.output)
    return artifacts.pack(base.artifact.path, payload, manifest)


CONTROLS: dict[str, Callable[[Base], Artifact | None]] = {
    "one weight byte flipped": _flipped_byte,
    "two labels swapped": _swapped_labels,
    "pixels not divided by 255": _no_scale,
    "polarity inverted": _polarity,
    "wrong zero point": _zero_point,
    "calibrated on noise": _noise,
}
