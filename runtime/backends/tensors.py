"""The tensors of an image classifier: which axis is which, and whether it is one at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.errors import BackendError
from runtime.preprocessing.spec import CHANNELS

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import TensorSpec


def image_layout(shape: tuple[int, ...]) -> str:
    """Tell ``NHWC`` from ``NCHW`` by where the 1 or 3 channels are."""
    if len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS:
        return "NCHW"
    return "NHWC"


def image_shape(tensor: TensorSpec) -> tuple[int, int, int]:
    """Return height, width and channels of one image of a (batch, …) input tensor."""
    _, *rest = tensor.shape
    if tensor.layout == "NCHW":
        rest = [*rest[1:], rest[0]]
    height, width, channels = rest
    return height, width, channels


def check_tensors(
    artifact: Artifact, backend: str, given: TensorSpec, answered: TensorSpec
) -> None:
    """Refuse what is no image classifier, and a manifest that tells of other tensors.

    Args:
        artifact: the model file.
        backend: the engine that found the tensors.
        given: the input tensor.
        answered: the output tensor.

    Raises:
        BackendError: the file is not for us.
    """
    name = artifact.path.name
    if len(given.shape) != 4 or image_shape(given)[2] not in CHANNELS:
        raise BackendError(
            f"{name} is no image classifier: its input has shape {given.shape}, "
            "expected (batch, height, width, 1 or 3)"
        )
    if min(image_shape(given)) < 1 or len(answered.shape) != 2 or answered.shape[1] < 2:
        raise BackendError(
            f"{name} is no image classifier: input {given.shape}, output {answered.shape}, "
            "expected output (batch, classes)"
        )
    manifest = artifact.manifest
    if manifest and not (_same(given, manifest.input) and _same(answered, manifest.output)):
        raise BackendError(
            f"{name}: the tensors that {backend} finds are not those of its manifest; "
            "export it again: toolkit export"
        )


def _same(found: TensorSpec, stated: TensorSpec) -> bool:
    return replace(found, name="") == replace(stated, name="")
