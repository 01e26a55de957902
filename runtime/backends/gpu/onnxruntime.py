"""ONNX Runtime sessions of which every node is proven to run on the GPU."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.backends.gpu import plugin
from runtime.backends.gpu.engine_log import captured
from runtime.backends.providers import BY_NAME, PROVIDERS, Provider, wanted
from runtime.errors import DeviceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends.options import BackendOptions

_LOG = logging.getLogger("runtime")
# Creation fails if a node would run on the CPU, and the session records where each one runs.
_STRICT = {
    "session.disable_cpu_ep_fallback": "1",
    "session.record_ep_graph_assignment_info": "1",
}
_LIBRARY = re.compile(r"Failed to load library \S+ with error: (.*)")
_ON_CPU = "assigned to the default CPU EP"
_WHERE = re.compile(r"^.*?\[ONNXRuntimeError\] : \d+ : \w+ : (?:/\S+ .*?\) )?")


@dataclass(frozen=True, slots=True)
class GpuSession:
    """A session that is proven to run on a GPU.

    Attributes:
        session: the ``InferenceSession``.
        provider: execution provider that runs it.
        accelerator: name of the provider, with that of the adapter if it is known.
    """

    session: Any
    provider: Provider
    accelerator: str


def present(ort: Any, providers: tuple[Provider, ...] = PROVIDERS) -> list[Provider]:
    """Return the providers of this onnxruntime and its installed plugins.

    Example::

        import onnxruntime

        print([provider.name for provider in present(onnxruntime)])
    """
    built_in = ort.get_available_providers()
    return [p for p in providers if p.ort in built_in or plugin.is_installed(p)]


def missing(ort: Any, providers: tuple[Provider, ...]) -> str:
    """Return in one line which providers are missing, and how to install them.

    Example::

        reason = missing(onnxruntime, wanted(("cuda",)))
    """
    names = (name.removesuffix("ExecutionProvider") for name in ort.get_available_providers())
    absent = "no GPU provider"
    usual: tuple[Provider, ...] = (BY_NAME["cuda"], BY_NAME["webgpu"])
    if len(providers) < len(PROVIDERS):
        absent, usual = f"not {', '.join(p.name for p in providers)}", providers
    fixes = "; ".join(f"for {provider.name}: {provider.fix}" for provider in usual)
    return f"onnxruntime {ort.__version__} has {', '.join(names)}, {absent}; {fixes}"


def open_session(
    ort: Any, data: bytes, options: BackendOptions, settings: Callable[[], Any]
) -> GpuSession:
    """Open a model with the first provider that is proven to run all of it.

    Args:
        ort: the module ``onnxruntime``.
        data: the model file.
        options: precision and providers.
        settings: returns new ``SessionOptions``.

    Raises:
        DeviceUnavailableError: no provider is installed, or none is proven to run the model.

    Example::

        options = BackendOptions("gpu", providers=("cuda",))
        opened = open_session(onnxruntime, data, options, onnxruntime.SessionOptions)
        print(opened.accelerator)
    """
    requested = wanted(options.providers)
    available = present(ort, requested)
    if not available:
        raise DeviceUnavailableError(missing(ort, requested))
    refusals: list[str] = []
    for provider in available:
        try:
            return _open(ort, data, provider, options.precision, settings())
        except DeviceUnavailableError as error:
            _LOG.debug("onnxruntime: provider %s refused: %s", provider.name, error)
            refusals.append(f"{provider.name}: {error}")
    raise DeviceUnavailableError("; ".join(refusals))


def check(session: Any, provider: Provider) -> None:
    """Verify which provider runs a session.

    Raises:
        DeviceUnavailableError: it is another provider, or another one for a part of the model.

    Example::

        check(session, BY_NAME["cuda"])
    """
    active = list(session.get_providers())
    if not active or active[0] != provider.ort:
        raise DeviceUnavailableError(
            f"onnxruntime dropped it without an error and would run on {', '.join(active)}"
        )
    assignment = getattr(session, "get_provider_graph_assignment_info", None)  # from 1.24 on
    others = {part.ep_name for part in assignment()} - {provider.ort} if assignment else set()
    if others:
        raise DeviceUnavailableError(f"a part of the model would run on {', '.join(others)}")


def _open(ort: Any, data: bytes, provider: Provider, precision: str, settings: Any) -> GpuSession:
    own = _own_options(provider, precision)
    for key, value in _STRICT.items():
        settings.add_session_config_entry(key, value)
    failure: Exception | None = None
    with captured() as log:
        try:
            session, adapter = _create(ort, data, provider, own, settings)
        except DeviceUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - ORT's have no common base but Exception
            failure = error
    if failure is not None:
        raise DeviceUnavailableError(_refusal_reason(log.text, failure, provider)) from failure
    check(session, provider)
    if provider.name == "coreml":
        _prove_coreml(log.text)
    name = provider.ort.removesuffix("ExecutionProvider")
    return GpuSession(session, provider, f"{name}, {adapter}" if adapter else name)


def _own_options(provider: Provider, precision: str) -> dict[str, str]:
    if precision == "float32":
        if provider.nvidia:
            # cuDNN's graphs and TensorRT use TF32 (10 bits) for float32 and ignore the option
            # of ORT (onnxruntime pull request 19470, issue 26029), only this variable.
            os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
        return dict(provider.options)
    if not provider.half:
        raise DeviceUnavailableError(
            "it computes in the data types of the file and has no float16 mode; leave out "
            "--precision and use a float16 file: toolkit export --format onnx-float16"
        )
    return {**provider.options, **provider.half}


def _create(
    ort: Any, data: bytes, provider: Provider, own: dict[str, str], settings: Any
) -> tuple[Any, str]:
    if provider.nvidia and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA and cuDNN from the packages of the extra
    if provider.name == "directml":
        settings.enable_mem_pattern = False  # DirectML's documentation asks for it
    chosen: dict[str, Any] = {"providers": [(provider.ort, own)]}
    adapter = ""
    if plugin.is_installed(provider):
        device, adapter = plugin.device(ort, provider)
        settings.add_provider_for_devices([device], own)
        chosen = {}
    # By default a session that fails is created again on the CPU, now and in each run.
    session = ort.InferenceSession(data, settings, enable_fallback=0, **chosen)
    session.disable_fallback()
    return session, adapter


def _prove_coreml(log: str) -> None:
    """Read where CoreML runs the model from its own plan; never tested on a Mac."""
    if "MLGPUComputeDevice" not in log or "MLCPUComputeDevice" in log:
        raise DeviceUnavailableError("CoreML's plan does not show that the GPU runs all of it")


def _refusal_reason(log: str, error: Exception, provider: Provider) -> str:
    """Return in one line why a session could not be created."""
    if library := _LIBRARY.search(log):
        return f"{library[1].strip()}; {provider.fix}"
    if _ON_CPU in f"{error}{log}":
        return "it does not support every node of the model, a part would run on the CPU"
    lines = str(error).strip().splitlines()
    return _WHERE.sub("", lines[0]) if lines else type(error).__name__
