"""What a backend is: one engine with one open model file."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from runtime.errors import (
    BackendError,
    DeviceUnavailableError,
    InputError,
    MissingDependencyError,
    UnknownNameError,
)
from runtime.preprocess import CHANNELS
from runtime.quantization import dequantize, quantize

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

    from numpy.typing import NDArray

    from runtime.artifact import Artifact
    from runtime.manifest import TensorSpec

DEVICES = ("cpu", "gpu", "auto")


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """How an engine is to run.

    Attributes:
        device: ``cpu``, ``gpu``, or ``auto``.
        threads: of one inference.
    """

    device: str = "cpu"
    threads: int = 1

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such device.
            InputError: fewer than one thread.
        """
        if self.device not in DEVICES:
            raise UnknownNameError("device", self.device, DEVICES)
        if self.threads < 1:
            raise InputError(f"threads must be at least 1, not {self.threads}")


class Backend(ABC):
    """An engine with an open model. Use it with ``with``; one thread at a time.

    Attributes:
        name: what ``--backend`` takes.
        suffixes: the endings of the files it runs.
        extra: the extra of this distribution that installs the engine.
        package: the engine's distribution.
        module: the engine's import name.
        rank: order of preference among backends for the same files, 0 first.
        input: the model's input tensor; shape (batch or -1, height, width, channels).
        output: the model's output tensor; shape (batch or -1, classes).
        device: where the model really runs.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    extra: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    rank: ClassVar[int] = 0
    input: TensorSpec
    output: TensorSpec

    def __init__(self, artifact: Artifact, options: BackendOptions | None = None) -> None:
        """Open a model file.

        Raises:
            MissingDependencyError: the engine is not installed.
            DeviceUnavailableError: the device cannot be used.
            BackendError: the engine is broken or refuses the file.
        """
        options = options or BackendOptions()
        if artifact.suffix not in self.suffixes:
            raise BackendError(
                f"backend {self.name} runs {' and '.join(self.suffixes)} files, "
                f"not {artifact.path.name}"
            )
        if options.device == "gpu":
            raise DeviceUnavailableError(
                f"backend {self.name} has no GPU support in this release; use --device cpu"
            )
        self.device = "cpu"
        self._artifact = artifact
        self.input, self.output = self._open(artifact, options)
        self._check_tensors()

    @classmethod
    def installed(cls) -> bool:
        """Whether the engine can be found, without importing it."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str | None:
        """Return the version of the installed engine, or None."""
        try:
            return version(cls.package)
        except PackageNotFoundError:
            return None

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch of any size.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes): what the model answers, dequantized.

        Raises:
            InputError: wrong shape or dtype.
            BackendError: the engine failed.
        """
        expected = self.image_shape
        if batch.dtype != np.float32 or batch.shape[1:] != expected:
            raise InputError(
                f"{self.name} expects float32 (n, {', '.join(map(str, expected))}), "
                f"got {batch.dtype} {tuple(batch.shape)}"
            )
        if len(batch) == 0:
            return np.empty((0, self.output.shape[-1]), np.float32)
        return self._decode(self._run_any(self._encode(batch)))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one input image."""
        _, *rest = self.input.shape
        if self.input.layout == "NCHW":
            rest = [*rest[1:], rest[0]]
        height, width, channels = rest
        return height, width, channels

    @property
    def takes_raw_pixels(self) -> bool:
        """Whether the input holds integers that no scale gives a meaning: pixels 0…255."""
        return self.input.scale is None and np.issubdtype(np.dtype(self.input.dtype), np.integer)

    @abstractmethod
    def close(self) -> None:
        """Free the engine; the backend cannot be used after that."""

    def __enter__(self) -> Self:
        """Return the backend itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the backend."""
        self.close()

    def tensors(self) -> tuple[TensorSpec, ...]:
        """Return the tensors that the engine tells of; at least input and output."""
        return (self.input, self.output)

    @abstractmethod
    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        """Load the model and return its input and its output tensor."""

    @abstractmethod
    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run one batch of exactly the size, dtype and layout of the input tensor."""

    @classmethod
    def _import(cls) -> ModuleType:
        """Import the engine, and tell a missing one from a broken one."""
        if not cls.installed():
            raise MissingDependencyError(cls.package, cls.extra, f"use backend {cls.name}")
        try:
            return importlib.import_module(cls.module)
        except Exception as error:
            raise BackendError(
                f"{cls.package} {cls.version()} is installed but cannot be imported "
                f"({type(error).__name__}: {_first_line(error)}); install it again: "
                f'pip install --force-reinstall "edge-toolkit[{cls.extra}]"'
            ) from error

    def _refused(self, error: Exception) -> BackendError:
        return BackendError(
            f"{self.package} {self.version()} refuses {self._artifact.path.name}: "
            f"{_first_line(error)}"
        )

    def _encode(self, batch: NDArray[np.float32]) -> NDArray[Any]:
        if self.input.layout == "NCHW":
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        if self.takes_raw_pixels:
            return quantize(batch, 1.0, 0, self.input.dtype)
        if self.input.scale is None:
            return batch.astype(self.input.dtype, copy=False)
        return quantize(batch, self.input.scale, self.input.zero_point or 0, self.input.dtype)

    def _decode(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        if self.output.scale is None:
            return scores.astype(np.float32, copy=False)
        return dequantize(scores, self.output.scale, self.output.zero_point or 0)

    def _run_any(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Cut a batch into pieces of the model's fixed size; pad the last one."""
        size = self.input.shape[0]
        if size in (-1, len(batch)):
            return self._run(batch)
        scores = np.empty((len(batch), self.output.shape[-1]), self.output.dtype)
        for start in range(0, len(batch), size):
            piece = batch[start : start + size]
            count = len(piece)
            if count < size:
                piece = np.concatenate([piece, np.repeat(piece[-1:], size - count, axis=0)])
            scores[start : start + count] = self._run(piece)[:count]
        return scores

    def _check_tensors(self) -> None:
        """Refuse what is no image classifier, and a manifest that tells of other tensors."""
        if len(self.input.shape) != 4 or self.image_shape[2] not in CHANNELS:
            raise BackendError(
                f"{self._artifact.path.name} is no image classifier: its input has shape "
                f"{self.input.shape}, expected (batch, height, width, 1 or 3)"
            )
        if min(self.image_shape) < 1 or len(self.output.shape) != 2 or self.output.shape[1] < 2:
            raise BackendError(
                f"{self._artifact.path.name} is no image classifier: input {self.input.shape}, "
                f"output {self.output.shape}, expected output (batch, classes)"
            )
        manifest = self._artifact.manifest
        if manifest and not (
            _same(self.input, manifest.input) and _same(self.output, manifest.output)
        ):
            raise BackendError(
                f"{self._artifact.path.name}: the tensors that {self.name} finds are not those "
                "of its manifest; export it again: toolkit export"
            )


def image_layout(shape: tuple[int, ...]) -> str:
    """Tell ``NHWC`` from ``NCHW`` by where the 1 or 3 channels are."""
    if len(shape) == 4 and shape[1] in CHANNELS and shape[3] not in CHANNELS:
        return "NCHW"
    return "NHWC"


def _same(found: TensorSpec, stated: TensorSpec) -> bool:
    return replace(found, name="") == replace(stated, name="")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
