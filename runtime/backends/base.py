"""Base class of the backends: one engine with one open model file."""

from __future__ import annotations

import importlib
import importlib.util
import logging
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

_LOG = logging.getLogger("runtime")


class Backend(ABC):
    """An engine with an open model. Use it with ``with``; one thread at a time.

    A subclass implements :meth:`_open`, :meth:`_run` and :meth:`_close`, and with ``uses_gpu``
    also :meth:`_open_gpu` and :meth:`gpu_obstacle`. Validation, quantization and batching are
    done here.

    Example::

        with registry()["litert"](artifact, BackendOptions(threads=2)) as backend:
            scores = backend.run(np.zeros((8, 28, 28, 1), np.float32))

    Attributes:
        name: backend name, as ``--backend`` takes it.
        suffixes: suffixes of the files it runs.
        extra: extra of this distribution that installs the engine.
        package: distribution of the engine.
        module: import name of the engine.
        rank: order of preference among backends for the same files, 0 first.
        wheels: machines for which the package has wheels; None if unknown.
        uses_gpu: whether it can run models on a GPU.
        input: input tensor of the model; shape (batch or -1, height, width, channels).
        output: output tensor of the model; shape (batch or -1, classes).
        device: where the model really runs: ``cpu`` or ``gpu``.
        accelerator: which GPU or provider runs it, for example ``CUDA``; empty on a CPU.
        fallback: why ``auto`` did not choose the GPU; empty if it did, or was not requested.
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
        """Open a model file.

        Args:
            artifact: the model file.
            options: device, threads and so on; the device ``auto`` means the CPU here, only
                :func:`open_backend` tries the GPU.

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
        else:
            self.input, self.output = self._open(artifact, options)
            self._check_tensors()
        if _LOG.isEnabledFor(logging.DEBUG):  # the version takes a while to find
            name, version = artifact.path.name, self.version()
            _LOG.debug("%s: opened in %s %s on %s", name, self.name, version, self.place)

    @property
    def place(self) -> str:
        """Where the model runs, as text: ``cpu``, or ``gpu: `` and the accelerator."""
        return f"{self.device}: {self.accelerator}" if self.accelerator else self.device

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Return why no GPU can be used on this machine, without starting one; empty if one might.

        Args:
            providers: see :class:`BackendOptions`.

        Example::

            if not engine.gpu_obstacle():
                options = BackendOptions("gpu")
        """
        del providers
        return "it never uses one"

    @classmethod
    def installed(cls) -> bool:
        """Whether the engine is installed; it is not imported."""
        return importlib.util.find_spec(cls.module) is not None

    @classmethod
    def version(cls) -> str | None:
        """Return the version of the installed engine, or None."""
        return installed_version(cls.package)

    @classmethod
    def distributions(cls) -> str:
        """Return the distributions of the engine with their versions; empty if not installed.

        It reads the names of the ``*.dist-info`` folders beside the module: importing
        ``importlib.metadata`` would take longer than to classify a first image.
        """
        spec = importlib.util.find_spec(cls.module)
        if spec is None or not spec.origin:
            return ""
        start = cls.package.replace("-", "_")
        names = os.listdir(Path(spec.origin).parents[1])  # noqa: PTH208 - names only
        found = [name for name in names if name.startswith(start) and name.endswith(".dist-info")]
        return " ".join(sorted(name.removesuffix(".dist-info") for name in found))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch of any size.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes): the output of the model, dequantized.

        Raises:
            InputError: wrong shape or dtype.
            BackendError: the engine failed.

        Example::

            scores = backend.run(spec.apply(images))
        """
        check_batch(self.name, batch, self.image_shape)
        if len(batch) == 0:
            return np.empty((0, self.output.shape[-1]), np.float32)
        return self._codec.decode(self.infer(self._codec.encode(batch)))

    def run_images(self, images: NDArray[Any], spec: PreprocessSpec) -> NDArray[np.float32]:
        """Preprocess and run images of the model's size: ``run(spec.apply(images))``.

        The result is the same, bit for bit, but for integer inputs the pixels are looked up in
        a table and never converted to floating point.

        Args:
            images: see :meth:`PreprocessSpec.apply`.
            spec: preprocessing of the images.

        Returns:
            float32 (n, classes), as :meth:`run`.

        Raises:
            InputError: wrong shape, dtype or values.
            BackendError: the engine failed.

        Example::

            scores = backend.run_images(np.zeros((8, 28, 28), np.uint8), spec)
        """
        if self._codec.takes(images, spec):
            return self._codec.decode(self.infer(self._codec.encode_images(images, spec)))
        return self.run(spec.apply(images))

    def infer(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run a batch that is already encoded, for tools and engines in other processes.

        It is split into chunks of the fixed batch size of the model; the last one is padded.

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
            chunk = batch[start : start + size]
            count = len(chunk)
            if count < size:
                chunk = np.concatenate([chunk, np.repeat(chunk[-1:], size - count, axis=0)])
            scores[start : start + count] = self._run(chunk)[:count]
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
        """Whether the input holds integers without a scale, which are pixels 0…255."""
        return self._codec.raw_pixels

    def close(self) -> None:
        """Free the engine; the backend cannot be used afterwards."""
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
        """Return the tensors that the engine reports; at least input and output."""
        return (self.input, self.output)

    @abstractmethod
    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        """Load the model on the CPU and return its input and output tensor."""

    @abstractmethod
    def _close(self) -> None:
        """Free the model and its memory, if it is open."""

    @abstractmethod
    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run one batch of exactly the size, dtype and layout of the input tensor."""

    def _open_gpu(
        self, artifact: Artifact, options: BackendOptions
    ) -> tuple[TensorSpec, TensorSpec]:
        """Load the model on the GPU and set ``accelerator``; see :meth:`_open`.

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
        """Return the exception for a model that the GPU does not run."""
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
        """Raise an error if the engine is not installed."""
        if not cls.installed():
            raise MissingDependencyError(cls.package, cls.extra, f"use backend {cls.name}")

    @classmethod
    def _import(cls) -> ModuleType:
        """Import the engine; a missing one and a broken one raise different errors."""
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
        """Return the exception for a file that the engine cannot load."""
        return BackendError(
            f"{self.package} {self.version()} refuses {self._artifact.path.name}: "
            f"{_first_line(error)}"
        )

    def _check_tensors(self) -> None:
        check_tensors(self._artifact, self.name, self.input, self.output)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
