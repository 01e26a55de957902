"""The manifest: metadata of a model file, as JSON.

Reading is strict about types, and ignores keys that a later version added.
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
# json.loads accepts Infinity, which is no int, and brackets nested beyond its stack.
_NUMBERS_AND_DEPTH = (OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output tensor of a model file.

    Attributes:
        name: name of the tensor in the file.
        shape: dimensions; -1 for a dynamic batch.
        dtype: numpy's name of the element type, for example ``int8``.
        layout: ``NHWC`` for images, ``NC`` for class scores.
        scale: quantization scale; None if the tensor is not quantized.
        zero_point: quantization zero point; None if the tensor is not quantized.

    Example:
        >>> TensorSpec("image", (1, 28, 28, 1), "int8", "NHWC", scale=0.5, zero_point=-128).dtype
        'int8'
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration set that determined the quantization ranges.

    Attributes:
        dataset: the dataset it was drawn from.
        samples: number of images.
        seed: seed of the draw.
        indices_sha256: SHA-256 of the drawn training indices (int64, little endian, sorted).
        method: calibration method, for example ``min-max``.

    Example:
        >>> Calibration("mnist", samples=300, seed=0, indices_sha256="…", method="min-max").samples
        300
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
        calibration: the calibration set; None if none was needed.
        float_layers: names of the layers of a quantized file that stay in float32.
        refusal: why the check before writing rejected the file, which was written anyway
            (``toolkit export --force``); None if it passed.

    Example:
        >>> Quantization("float32").calibration is None
        True
    """

    scheme: str
    calibration: Calibration | None = None
    float_layers: tuple[str, ...] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Requirements:
    """What an engine must support to run the file.

    Attributes:
        operators: operators of the file with their versions (TFLite) or the operator set
            (ONNX).
        engines: the engines, with their versions, that loaded the file when it was exported.

    Example:
        >>> Requirements(operators={"CONV_2D": 3}, engines={"litert": "2.0.2"}).operators
        {'CONV_2D': 3}
    """

    operators: dict[str, int] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy of the file and of the Keras model, measured at export.

    Attributes:
        reference: accuracy of the Keras model, 0…1.
        artifact: accuracy of the file on the same images.
        agreement: share of images for which both predict the same label.
        max_abs_error: largest difference of a probability.
        dataset: description of the images.
        images: number of images.

    Example:
        >>> Accuracy(0.99, 0.99, 1.0, 0.002, "test images of mnist", images=500).agreement
        1.0
    """

    reference: float
    artifact: float
    agreement: float
    max_abs_error: float
    dataset: str
    images: int


@dataclass(frozen=True, slots=True)
class Created:
    """Origin of the file.

    Attributes:
        tool: name and version of this toolkit.
        source_sha256: SHA-256 of the Keras model file.
        dataset: the training data.
        versions: versions of the packages used for export.
        lineage: name and checksum of the teacher model of a distillation; empty if there
            was none.

    Example:
        >>> Created("edge-toolkit 0.1", source_sha256="…", dataset="mnist").lineage
        {}
    """

    tool: str
    source_sha256: str
    dataset: str
    versions: dict[str, str] = field(default_factory=dict)
    lineage: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything a device needs to use a model file correctly.

    Attributes:
        name: name of the model, for example ``mnist-cnn``.
        format: the export format, for example ``tflite-int8``.
        task: ``image-classification``.
        input: the input tensor.
        output: the output tensor.
        labels: the class names, in the order of the output.
        preprocess: how an image becomes input.
        quantization: how numbers are stored.
        requirements: what an engine must support.
        created: origin of the file.
        scores: content of the output, ``probabilities`` or ``logits``.
        multiply_adds: multiply-adds of the Keras model per image; None if unknown.
        accuracy: measured at export; None if it was not.
        golden: inputs with Keras's predictions for a self-test on the device; None if there
            are none.
        schema_version: version of this record.

    Example:
        >>> manifest = Manifest(
        ...     name="tiny",
        ...     format="onnx",
        ...     task="image-classification",
        ...     input=TensorSpec("image", (-1, 8, 8, 1), "float32", "NHWC"),
        ...     output=TensorSpec("scores", (-1, 2), "float32", "NC"),
        ...     labels=("no", "yes"),
        ...     preprocess=PreprocessSpec(height=8, width=8),
        ...     quantization=Quantization("float32"),
        ...     requirements=Requirements({"ai.onnx": 18}),
        ...     created=Created("edge-toolkit", source_sha256="…", dataset="digits"),
        ... )
        >>> Manifest.loads(manifest.dumps()) == manifest
        True
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
        """Return the JSON text for the model file, UTF-8."""
        return json.dumps(self.to_json(), ensure_ascii=False, indent=1).encode()

    @classmethod
    def loads(cls, text: bytes) -> Manifest:
        """Read the JSON text returned by :meth:`dumps`.

        Args:
            text: UTF-8.

        Raises:
            ArtifactError: not JSON, a missing or wrong field, or a newer schema.

        Example:
            >>> Manifest.loads(b'{"schema_version": 99}')
            Traceback (most recent call last):
            runtime.errors.ArtifactError: the manifest has schema version 99, this release ...
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
    """Build a dataclass from the keys it has; later versions may add others."""
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
