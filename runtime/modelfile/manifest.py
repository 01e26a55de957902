"""The manifest: what a model file says of itself, as JSON.

Reading is strict about types and tolerant of keys that a later version added.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from runtime.errors import ArtifactError, InputError
from runtime.preprocessing.spec import PreprocessSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime.modelfile.golden import Golden

SCHEMA_VERSION = 1
T = TypeVar("T")
# Infinity is valid for json.loads but no int; brackets can be nested beyond its stack.
_NUMBERS_AND_DEPTH = (OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output tensor of a model file.

    Attributes:
        name: the tensor's name in the file.
        shape: its dimensions; -1 for the batch where that is free.
        dtype: numpy's name of its element type, for example ``int8``.
        layout: ``NHWC`` for images, ``NC`` for class scores.
        scale: quantization scale; None where the tensor is not quantized.
        zero_point: quantization zero point; None where it is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Which images decided the quantization ranges.

    Attributes:
        dataset: the dataset they were drawn from.
        samples: how many.
        seed: of the draw.
        indices_sha256: of the drawn training indices (int64, little endian, sorted).
        method: how ranges were taken from activations, for example ``min-max``.
    """

    dataset: str
    samples: int
    seed: int
    indices_sha256: str
    method: str


@dataclass(frozen=True, slots=True)
class Quantization:
    """How numbers are stored and computed.

    Attributes:
        scheme: for example ``float32`` or ``int8 weights and activations, per channel``.
        calibration: None where none was needed.
        float_layers: layers of a quantized file that were left in float, by name.
        refusal: why the check before writing refused the file, which was written all the
            same (``toolkit export --force``); None where it passed.
    """

    scheme: str
    calibration: Calibration | None = None
    float_layers: tuple[str, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an engine must offer to run the file.

    Attributes:
        operators: the operators in the file with their versions (TFLite) or the
            operator set (ONNX).
        engines: the engines, with their versions, that opened the file when it was made.
    """

    operators: dict[str, int] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How the file and its reference answered when it was made.

    Attributes:
        reference: accuracy of the Keras model, 0…1.
        artifact: accuracy of the file on the same images.
        agreement: share of images on which both give the same label.
        max_abs_error: largest difference of a probability.
        dataset: which images, in words.
        images: how many.
    """

    reference: float
    artifact: float
    agreement: float
    max_abs_error: float
    dataset: str
    images: int


@dataclass(frozen=True, slots=True)
class Created:
    """Where the file comes from.

    Attributes:
        tool: name and version of this toolkit.
        source_sha256: of the Keras model file.
        dataset: what the model was trained on.
        versions: of the packages that made the file.
        lineage: name and checksum of the network that the model learned from; empty if
            it was trained on its own.
    """

    tool: str
    source_sha256: str
    dataset: str
    versions: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a device needs to use a model file rightly.

    Attributes:
        name: of the model, for example ``mnist-cnn``.
        format: the export format, for example ``tflite-int8``.
        task: ``image-classification``.
        input: the input tensor.
        output: the output tensor.
        labels: the class names, in the order of the output.
        preprocess: how an image becomes input.
        quantization: how numbers are stored.
        requirements: what an engine must offer.
        created: where the file comes from.
        scores: what the output holds, ``probabilities`` or ``logits``.
        multiply_adds: what one image costs the Keras model; None if that is not known.
        accuracy: measured when the file was made; None if it was not.
        golden: inputs with Keras's answers for a self-test on the device; None if
            nobody put them in.
        schema_version: of this record.
    """

    name: str
    format: str
    task: str
    input: TensorSpec
    output: TensorSpec
    labels: tuple[str, ...]
    preprocess: PreprocessSpec
    quantization: Quantization
    requirements: Requirements
    created: Created
    scores: str = "probabilities"
    multiply_adds: int | None = None
    accuracy: Accuracy | None = None
    golden: Golden | None = None
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"preprocess": self.preprocess.to_json()}

    def dumps(self) -> bytes:
        """Return the JSON text that is embedded, UTF-8."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=1).encode()

    @classmethod
    def loads(cls, text: bytes) -> Manifest:
        """Read the JSON text that :meth:`dumps` gave.

        Raises:
            ArtifactError: no JSON, a missing or wrong field, or a newer schema.
        """
        try:
            values = json.loads(text)
            version = values["schema_version"]
            if version != SCHEMA_VERSION:
                raise ArtifactError(
                    f"the manifest has schema version {version}, this release reads "
                    f"{SCHEMA_VERSION}; upgrade it: pip install -U edge-toolkit"
                )
            return cls._from_json(values)
        except (ValueError, LookupError, TypeError, AttributeError, *_NUMBERS_AND_DEPTH) as error:
            if isinstance(error, ArtifactError):
                raise
            raise ArtifactError(f"the manifest is broken: {error!r}") from error

    @classmethod
    def _from_json(cls, values: Mapping[str, Any]) -> Manifest:
        quantization = dict(values["quantization"])
        calibration = quantization.get("calibration")
        accuracy, golden = values.get("accuracy"), values.get("golden")
        manifest = cls(
            name=_text(values["name"]),
            format=_text(values["format"]),
            task=_text(values["task"]),
            input=_tensor(values["input"]),
            output=_tensor(values["output"]),
            labels=tuple(_text(label) for label in values["labels"]),
            preprocess=PreprocessSpec.from_json(values["preprocess"]),
            quantization=Quantization(
                scheme=_text(quantization["scheme"]),
                calibration=_known(Calibration, calibration) if calibration else None,
                float_layers=tuple(_text(name) for name in quantization.get("float_layers", ())),
                refusal=_text(refusal) if (refusal := quantization.get("refusal")) else None,
            ),
            requirements=_known(Requirements, values["requirements"]),
            created=_known(Created, values["created"]),
            scores=_text(values.get("scores", "probabilities")),
            multiply_adds=_count(values.get("multiply_adds")),
            accuracy=_known(Accuracy, accuracy) if accuracy else None,
            golden=_golden(golden) if golden is not None else None,
        )
        if not manifest.labels or manifest.output.shape[-1] != len(manifest.labels):
            raise InputError(f"{len(manifest.labels)} labels for output {manifest.output.shape}")
        if manifest.golden is not None:
            manifest.golden.check_fits(manifest.preprocess.shape, len(manifest.labels))
        return manifest


def _known(cls: type[T], values: Mapping[str, Any]) -> T:
    """Build a dataclass from the keys it knows; later versions may add others."""
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    return cls(**{key: value for key, value in values.items() if key in names})


def _golden(values: Mapping[str, Any]) -> Golden:
    from runtime.modelfile.golden import Golden

    return Golden.from_json(values)


def _tensor(values: Mapping[str, Any]) -> TensorSpec:
    return _known(TensorSpec, dict(values) | {"shape": tuple(int(n) for n in values["shape"])})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"expected text, got {value!r}")
    return value


def _count(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise InputError(f"expected a number of multiply-adds, got {value!r}")
    return value
