"""OpenVINO: Intel's engine for ``.onnx`` and ``.tflite`` files, on x86 and on 64-bit Arm."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime import proc
from runtime.backends._wheels import Wheels
from runtime.backends.base import Backend
from runtime.backends.openvino_tensors import image_tensors
from runtime.backends.tensors import image_layout
from runtime.errors import BackendError
from runtime.modelfile.manifest import TensorSpec
from runtime.processor import lacks_vnni

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from numpy.typing import NDArray

    from runtime.backends.options import BackendOptions
    from runtime.modelfile.artifact import Artifact

_TELEMETRY = "openvino_telemetry"
_TFLITE = ".tflite"


class OpenVino(Backend):
    """A model compiled for the CPU, for the lowest latency of one inference at a time."""

    name: ClassVar[str] = "openvino"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx", _TFLITE)
    extra: ClassVar[str] = "openvino"
    package: ClassVar[str] = "openvino"
    module: ClassVar[str] = "openvino"
    # It takes 100 to 180 MB of disk space and loads slowly: used if requested, or if measured
    # to be the fastest.
    rank: ClassVar[int] = 2
    # Those of 2026.4.1. For Arm they require glibc 2.35: Raspberry Pi OS 12 has 2.36, 11 has 2.31.
    wheels: ClassVar[Wheels | None] = Wheels((3, 14), glibc={"aarch64": (2, 35)})

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Return the engines that use one: OpenVINO supports only Intel GPUs."""
        del providers
        return "openvino is used on the CPU only, litert and onnxruntime use GPUs: --backend"

    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        self._ov: Any = self._import()
        try:
            core = self._ov.Core()
            compiled = _compiled(core, artifact, _settings(options.threads))
        except Exception as error:  # its exceptions have no common base but Exception
            raise self._refused(error) from error
        ports = self._one_of_each(compiled.inputs, compiled.outputs)
        self._request: Any = compiled.create_infer_request()
        tensors = _tensor(ports[0], image=True), _tensor(ports[1], image=False)
        return self._with_scales(artifact, tensors) if artifact.suffix == _TFLITE else tensors

    def _with_scales(
        self, artifact: Artifact, tensors: tuple[TensorSpec, TensorSpec]
    ) -> tuple[TensorSpec, TensorSpec]:
        """Read scales and zero points from the file: OpenVINO does not return them."""
        in_file = image_tensors(artifact.data)
        for ours, theirs in zip(tensors, in_file, strict=True):
            if ours.dtype != theirs.dtype or ours.shape[1:] != theirs.shape[1:]:
                raise BackendError(
                    f"{self.name} changed tensor {theirs.name} of {artifact.path.name} from "
                    f"{theirs.dtype} {theirs.shape} to {ours.dtype} {ours.shape}"
                )
        return _scaled(tensors[0], in_file[0]), _scaled(tensors[1], in_file[1])

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        request = self._request
        try:
            # Shared memory: the engine reads the array without a copy, if it is writable.
            batch = np.ascontiguousarray(batch)
            tensor = self._ov.Tensor(batch, shared_memory=bool(batch.flags.writeable))
            request.set_input_tensor(tensor)
            request.infer(share_outputs=True)
            # A copy: the engine writes the next output to the same memory.
            scores = np.array(request.get_output_tensor().data)
        except Exception as error:  # its exceptions have no common base but Exception
            raise BackendError(f"{self.name} failed while running: {_last_line(error)}") from error
        if len(scores) != len(batch):
            # Seen with int8 .onnx files on Arm without float16: no error, and no output.
            raise BackendError(
                f"{self.name} returned {len(scores)} outputs for {len(batch)} images: it cannot "
                f"run {self._artifact.path.name} on this processor; use another one: --backend"
            )
        return scores

    def _close(self) -> None:
        self._request = None

    @classmethod
    def _import(cls) -> ModuleType:
        with _no_telemetry():
            return super()._import()

    def _refused(self, error: Exception) -> BackendError:
        return super()._refused(RuntimeError(_last_line(error)))


def _settings(threads: int) -> dict[str, Any]:
    """Return the settings of the CPU plugin; without a cache folder nothing is written.

    Two engines in two threads would both be pinned to the first core, so pinning is off.
    ``f32`` forbids bfloat16 and float16 in float layers, which are the default if the processor
    supports them. Integer layers stay integer, except on processors where their sums saturate:
    there they are computed in float32.
    """
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    return settings | {"LP_TRANSFORMS_MODE": "NO"} if lacks_vnni(proc.ROOT) else settings


def _compiled(core: Any, artifact: Artifact, settings: dict[str, Any]) -> Any:
    if artifact.suffix != _TFLITE:
        return core.compile_model(core.read_model(artifact.data), "CPU", settings)
    from tempfile import TemporaryDirectory  # slow: it takes longer than the rest of this module

    # Its TFLite reader takes only a path, and maps the file until the model is compiled.
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model{_TFLITE}"
        path.write_bytes(artifact.data)
        return core.compile_model(core.read_model(path), "CPU", settings)


def _tensor(port: Any, *, image: bool) -> TensorSpec:
    shape = tuple(-1 if size.is_dynamic else size.get_length() for size in port.partial_shape)
    return TensorSpec(
        name=_name(port),
        shape=shape,
        dtype=np.dtype(port.element_type.to_dtype()).name,
        layout=image_layout(shape) if image else "NC",
    )


def _name(port: Any) -> str:
    """Return the name in the file; layers inserted by its reader may have added others."""
    names: list[str] = sorted(port.names)
    own = str(port.node.friendly_name)
    return own if own in names or not names else names[0]


def _scaled(tensor: TensorSpec, in_file: TensorSpec) -> TensorSpec:
    return replace(tensor, name=in_file.name, scale=in_file.scale, zero_point=in_file.zero_point)


def _last_line(error: Exception) -> str:
    """Return the cause: the lines before it only name source files of the engine."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """Keep ``import openvino`` from sending telemetry, and from writing to ``~/intel``.

    If the package ``openvino_telemetry`` cannot be imported, OpenVINO uses a stub of its
    own (``openvino/tools/ovc/telemetry_utils.py``) for the life of the process.
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # "import" then fails
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before
