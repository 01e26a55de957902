"""The tensors of an image classifier: their axes, and whether the model is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.errors import BackendError
from runtime.preprocessing.spec import CHANNELS

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import TensorSpec


def image_layout(shape: tuple[int, ...]) -> str:
    """Return ``NHWC`` or ``NCHW``, by the axis with 1 or 3 channels.

    Example:
        >>> image_layout((1, 28, 28, 1)), image_layout((1, 3, 224, 224))
        ('NHWC', 'NCHW')
    """
    if len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS:
        return "NCHW"
    return "NHWC"


def image_shape(tensor: TensorSpec) -> tuple[int, int, int]:
    """Return height, width and channels of one image of a (batch, …) input tensor.

    Example:
        >>> from runtime.modelfile.manifest import TensorSpec
        >>> image_shape(TensorSpec("image", (1, 3, 224, 256), "float32", "NCHW"))
        (224, 256, 3)
    """
    _, *rest = tensor.shape
    if tensor.layout == "NCHW":
        rest = [*rest[1:], rest[0]]
    height, width, channels = rest
    return height, width, channels


def check_tensors(
    artifact: Artifact, backend: str, input_tensor: TensorSpec, output_tensor: TensorSpec
) -> None:
    """Refuse other models than image classifiers, and a manifest with other tensors.

    Args:
        artifact: the model file.
        backend: name of the engine that reported the tensors.
        input_tensor: the input tensor.
        output_tensor: the output tensor.

    Raises:
        BackendError: the model cannot be used.

    Example::

        check_tensors(artifact, "litert", engine.input, engine.output)
    """
    name = artifact.path.name
    if len(input_tensor.shape) != 4 or image_shape(input_tensor)[2] not in CHANNELS:
        raise BackendError(
            f"{name} is no image classifier: its input has shape {input_tensor.shape}, "
            "expected (batch, height, width, 1 or 3)"
        )
    outputs = output_tensor.shape
    if min(image_shape(input_tensor)) < 1 or len(outputs) != 2 or outputs[1] < 2:
        raise BackendError(
            f"{name} is no image classifier: input {input_tensor.shape}, output {outputs}, "
            "expected output (batch, classes)"
        )
    manifest = artifact.manifest
    if manifest and not (
        _same(input_tensor, manifest.input) and _same(output_tensor, manifest.output)
    ):
        raise BackendError(
            f"{name}: the tensors that {backend} finds are not those of its manifest; "
            "export it again: toolkit export"
        )


def _same(found: TensorSpec, stated: TensorSpec) -> bool:
    return replace(found, name="") == replace(stated, name="")
