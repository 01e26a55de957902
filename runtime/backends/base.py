"""What a backend is: one engine with one open model file."""

from __future__ import annotations

import importlib
import importlib.util
import os
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from runtime.backends._codec import Codec, check_batch
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import check_tensors
from runtime.errors import BackendError, DeviceUnavailableError, MissingDependencyError
from runtime.registry import installed_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType, TracebackType

    from numpy.typing import NDArray

    from runtime.backends._wheels import Wheels
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import TensorSpec
    from runtime.preprocessing.spec import PreprocessSpec


class Backend(ABC):
    """An engine with an open model. Use it with ``with``; one thread at a time.

    Attributes:
        name: what ``--backend`` takes.
        suffixes: the endings of the files it runs.
        extra: the extra of this distribution that installs the engine.
        package: the engine's distribution.
        module: the engine's import name.
        rank: order of preference among backends for the same files, 0 first.
        wheels: for which machines the package has wheels; None where that is not known.
        uses_gpu: whether it can run a model on a GPU, where there is one.
        input: the model's input tensor; shape (batch or -1, height, width, channels).
        output: the model's output tensor; shape (batch or -1, classes).
        device: where the model really runs: ``cpu`` or ``gpu``.
        accelerator: what of the GPU runs it, for example ``CUDA``; empty on a CPU.
        fallback: why ``auto`` did not take the GPU; empty where it did, or was not asked.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    extra: ClassVar[str]
    package: ClassVar[str]
    module: ClassVar[str]
    rank: ClassVar[int] = 0
    wheels: ClassVar[Wheels | None] = None
    uses_gpu: ClassVar[bool] = False
    input: TensorSpec
    output: TensorSpec
    device: str = "cpu"
    accelerator: str = ""
    fallback: str = ""

    def __init__(self, artifact: Artifact, options: BackendOptions | None = None) -> None:
        """Open a model file; what is not ``gpu`` runs on the CPU (:func:`open_backend` tries).

        Raises:
            MissingDependencyError: the engine is not installed.
            DeviceUnavailableError: no GPU is proven to run the model.
            BackendError: the engine is broken or refuses the file.
        """
        options = options or BackendOptions()
        if artifact.suffix not in self.suffixes:
            raise BackendError(
                f"backend {self.name} runs {' and '.join(self.suffixes)} files, "
                f"not {artifact.path.name}"
            )
        self._artifact = artifact
        if options.device == "gpu":
            self._start_gpu(artifact, options)
            return
        self.input, self.output = self._open(artifact, options)
        self._check_tensors()

    @property
    def place(self) -> str:
        """Where the model runs, for people: ``cpu``, or ``gpu: `` and what of it."""
        return f"{self.device}: {self.accelerator}" if self.accelerator else self.device

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Return why no GPU can be used here, without starting one; empty if one might.

        Args:
            providers: those of :class:`BackendOptions`.
        """
        del providers
        return "it never uses one"

    @classmethod
    def installed(cls) -> bool:
        """Whether the engine can be found, without importing it."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str | None:
        """Return the version of the installed engine, or None."""
        return installed_version(cls.package)

    @classmethod
    def distributions(cls) -> str:
        """Return which distributions, with their versions, bring the engine; empty for none.

        It reads the names of ``*.dist-info`` folders where the module lies: importing
        ``importlib.metadata`` would take longer than a first image.
        """
        spec = importlib.util.find_spec(cls.module)
        if spec is None or not spec.origin:
            return ""
        start = cls.package.replace("-", "_")
        names = os.listdir(Path(spec.origin).parents[1])  # noqa: PTH208 - names only, and at once
        found = [name for name in names if name.startswith(start) and name.endswith(".dist-info")]
        return " ".join(sorted(name.removesuffix(".dist-info") for name in found))

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
        check_batch(self.name, batch, self.image_shape)
        if len(batch) == 0:
            return np.empty((0, self.output.shape[-1]), np.float32)
        return self._codec.decode(self.infer(self._codec.encode(batch)))

    def run_images(self, images: NDArray[Any], spec: PreprocessSpec) -> NDArray[np.float32]:
        """Preprocess and run images of the model's size: ``run(spec.apply(images))``.

        The answers are the same, bit for bit, but where the model takes integers, pixels
        are looked up in a table and never become floating point.

        Raises:
            InputError: wrong shape, dtype or values.
            BackendError: the engine failed.
        """
        if self._codec.takes(images, spec):
            return self._codec.decode(self.infer(self._codec.encode_images(images, spec)))
        return self.run(spec.apply(images))

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run a batch that is encoded already, for tools and for engines in other processes.

        A batch is cut into pieces of the model's fixed batch size; the last one is padded.

        Args:
            batch: (n, …) in the dtype and layout of the input tensor.

        Returns:
            (n, classes) in the dtype of the output tensor.

        Raises:
            BackendError: the engine failed.
        """
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

    @cached_property
    def _codec(self) -> Codec:
        return Codec(self.input, self.output)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one input image."""
        return self._codec.image_shape

    @property
    def takes_raw_pixels(self) -> bool:
        """Whether the input holds integers that no scale gives a meaning: pixels 0…255."""
        return self._codec.raw_pixels

    def close(self) -> None:
        """Free the engine; the backend cannot be used after that."""
        self._close()

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
    def _close(self) -> None:
        """Drop the model and its memory, if it is open."""

    @abstractmethod
    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run one batch of exactly the size, dtype and layout of the input tensor."""

    def _open_gpu(
        self, artifact: Artifact, options: BackendOptions
    ) -> tuple[TensorSpec, TensorSpec]:
        """As :meth:`_open`, on the GPU; sets ``accelerator``.

        Raises:
            DeviceUnavailableError: nothing proves that the GPU runs the whole model.
        """
        del artifact
        raise DeviceUnavailableError(self.gpu_obstacle(options.providers))

    def _start_gpu(self, artifact: Artifact, options: BackendOptions) -> None:
        """Open the model on the GPU and run it once: drivers compile, and fail, only then."""
        if reason := self.gpu_obstacle(options.providers):
            raise self._no_gpu(DeviceUnavailableError(reason))
        try:
            self.input, self.output = self._open_gpu(artifact, options)
        except DeviceUnavailableError as error:
            raise self._no_gpu(error) from error
        self._check_tensors()
        self.device = "gpu"
        try:
            self.run(np.zeros((1, *self.image_shape), np.float32))
        except BackendError as error:
            self.close()
            raise self._no_gpu(error) from error

    def _no_gpu(self, error: BackendError) -> DeviceUnavailableError:
        return DeviceUnavailableError(
            f"backend {self.name} has no GPU support for {self._artifact.path.name} here: "
            f"{error}; or use --device cpu"
        )

    def _one_of_each(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, Any]:
        """Return the input and the output of a model that has one of each."""
        if len(inputs) != 1 or len(outputs) != 1:
            raise BackendError(
                f"{self._artifact.path.name} has {len(inputs)} inputs and {len(outputs)} outputs; "
                "an image classifier has one of each"
            )
        return inputs[0], outputs[0]

    @classmethod
    def _require(cls) -> None:
        if not cls.installed():
            raise MissingDependencyError(cls.package, cls.extra, f"use backend {cls.name}")

    @classmethod
    def _import(cls) -> ModuleType:
        """Import the engine, and tell a missing one from a broken one."""
        cls._require()
        try:
            return importlib.import_module(cls.module)
        except Exception as error:
            raise BackendError(
                f"{cls.package} {cls.version()} is installed but cannot be imported "
                f"({type(error).__name__}: {_first_line(error)}); install it again: "
                f"pip install --force-reinstall --no-deps {cls.package}"
            ) from error

    def _refused(self, error: Exception) -> BackendError:
        return BackendError(
            f"{self.package} {self.version()} refuses {self._artifact.path.name}: "
            f"{_first_line(error)}"
        )

    def _check_tensors(self) -> None:
        check_tensors(self._artifact, self.name, self.input, self.output)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
