"""Opening of a model file in an engine: the named one, or the best of those installed.

What may crash the process, or does not work together with TensorFlow, runs in a worker process.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.backends import for_suffix, preferred, registry
from runtime.backends.options import AUTO, BackendOptions
from runtime.errors import BackendError, EdgeError, MissingDependencyError, joined
from runtime.modelfile.artifact import on_disk
from runtime.registry import pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends import Backend
    from runtime.backends.preferred import Tuned
    from runtime.modelfile.artifact import Artifact

_LOG = logging.getLogger("runtime")


def open_backend(artifact: Artifact, name: str, options: BackendOptions) -> Backend:
    """Open a model file in an engine.

    Args:
        artifact: the model file.
        name: a backend, or ``auto``: on the CPU the one that ``runtime tune`` found to be the
            fastest for so many threads, else the first that is installed and loads the file.
        options: options of the engine; with device ``auto`` the GPU is tried in another process,
            and if it does not run the file, ``fallback`` of the engine is the reason.

    Raises:
        UnknownNameError: no backend has that name.
        MissingDependencyError: the engine is not installed.
        BackendError: the engine is broken, refuses the file, or is for other files.
        DeviceUnavailableError: the device cannot be used.

    Example::

        artifact = runtime.modelfile.artifact.read("mnist-cnn.int8.tflite")
        with open_backend(artifact, "auto", BackendOptions(threads=2)) as backend:
            print(backend.name, backend.place)
    """
    if options.device == AUTO:
        return _open_on_any_device(artifact, name, options)
    if name != AUTO:
        return _open(pick(registry(), "backend", name), artifact, options)
    installed = _installed(artifact, options)
    if not installed:
        first = for_suffix(artifact.suffix)[0]
        raise MissingDependencyError(
            first.package, first.extra, f"run {artifact.suffix} files on this machine"
        )
    if options.device == "cpu" and len(installed) > 1:
        installed = _fastest_first(installed, artifact, options.threads)
    return _first_that_opens(installed, artifact, options)


def tuned_for(artifact: Artifact) -> Tuned | None:
    """Return the record of ``runtime tune`` for a file, if it is still valid on this machine.

    Example::

        if record := tuned_for(artifact):
            print(record.best(threads=1).backend)
    """
    engines = for_suffix(artifact.suffix)
    return preferred.find(artifact, lambda: {one.name: one.distributions() for one in engines})


def preferred_backend(
    artifact: Artifact, name: str, options: BackendOptions, images: Callable[[], int]
) -> str:
    """Return the fastest engine for so many images per worker, loading included.

    Args:
        artifact: the model file.
        name: the requested backend; anything but ``auto`` is returned as it is.
        options: device, and threads of one inference for a single image; many images use one
            thread each. On another device than the CPU the name is returned as it is.
        images: returns the number of images per worker; called only if there is a record.

    Returns:
        Name of the engine that ``runtime tune`` found; ``auto`` if there is no record.

    Example::

        name = preferred_backend(artifact, "auto", BackendOptions(), lambda: 1000)
        backend = open_backend(artifact, name, BackendOptions())
    """
    if (name, options.device) != (AUTO, "cpu") or (found := tuned_for(artifact)) is None:
        return name
    count = images()
    best = found.best(options.threads if count <= 1 else 1, count)
    name = best.backend if best else AUTO
    _LOG.debug("%s: tuned engine for %d images: %s", artifact.path.name, count, name)
    return name


def _open_on_any_device(artifact: Artifact, name: str, options: BackendOptions) -> Backend:
    """Open a model on the GPU if another process proves that it runs there, else on the CPU.

    A broken driver kills the process that uses it, so the GPU is first tried in another one.
    None is started if the engine cannot use a GPU on this machine at all.
    """
    named = [] if name == AUTO else [pick(registry(), "backend", name)]
    gpu = replace(options, device="gpu")
    reasons: list[str] = []
    for backend in named or _installed(artifact, options):
        try:
            reason = backend.gpu_obstacle(options.providers) or _trial(artifact, backend, gpu)
            if not reason:
                return _open(backend, artifact, gpu)
        except EdgeError as error:
            reason = str(error)
        _LOG.debug("%s: no GPU with %s: %s", artifact.path.name, backend.name, reason)
        reasons.append(reason)
    engine = open_backend(artifact, name, on_cpu(options))
    engine.fallback = "; ".join(dict.fromkeys(reasons))
    _LOG.info("%s runs on the CPU: %s", artifact.path.name, engine.fallback)
    return engine


def on_cpu(options: BackendOptions) -> BackendOptions:
    """Return the options for the CPU, without those of a GPU.

    Example:
        >>> on_cpu(BackendOptions("gpu", threads=2, precision="float16"))
        BackendOptions(device='cpu', threads=2, precision='float32', providers=())
    """
    return replace(options, device="cpu", precision="float32", providers=())


def _trial(artifact: Artifact, backend: type[Backend], options: BackendOptions) -> str:
    """Run a model once in another process; return why that failed, or an empty text."""
    from runtime.workers.probe import probe

    with on_disk(artifact) as path:
        found = probe(path, backend.name, options)
    if found.error is None:
        return ""
    # An error of the engine names the engine; the exit code of a process does not.
    return found.error if found.kind else f"{backend.name} on a GPU: {found.error}"


def _installed(artifact: Artifact, options: BackendOptions) -> list[type[Backend]]:
    """Return the engines to try; for a GPU those that can use one, if there are any."""
    found = [backend for backend in for_suffix(artifact.suffix) if backend.installed()]
    able = [] if options.device == "cpu" else [backend for backend in found if backend.uses_gpu]
    return able or found


def _fastest_first(
    installed: list[type[Backend]], artifact: Artifact, threads: int
) -> list[type[Backend]]:
    found = tuned_for(artifact)
    best = found.best(threads) if found else None
    if best is None:
        return installed
    _LOG.debug("%s: tuned engine: %s", artifact.path.name, best.backend)
    return sorted(installed, key=lambda one: one.name != best.backend)


def _first_that_opens(
    candidates: list[type[Backend]], artifact: Artifact, options: BackendOptions
) -> Backend:
    refusals: list[BackendError] = []
    for backend in candidates:
        try:
            return _open(backend, artifact, options)
        except BackendError as error:
            _LOG.info("%s", error)
            refusals.append(error)
    raise joined(refusals)


def _open(backend: type[Backend], artifact: Artifact, options: BackendOptions) -> Backend:
    if options.device == "gpu":
        from runtime.workers.remote_backend import needs_remote, remote_class

        backend = remote_class(backend) if needs_remote(backend, options) else backend
    return backend(artifact, options)
