"""Opens a model file in an engine: the named one, or the best of those installed.

What may end the process, or does not go together with TensorFlow, is done in a worker process.
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

_log = logging.getLogger("runtime")


def open_backend(artifact: Artifact, name: str, options: BackendOptions) -> Backend:
    """Open a model file in an engine.

    Args:
        artifact: the model file.
        name: a backend, or ``auto``: on the CPU the one that ``runtime tune`` found to be the
            fastest for so many threads, else the first that is installed and takes the file.
        options: how to run; with device ``auto`` the GPU is tried in another process, and
            where it does not run the file the engine's ``fallback`` says why.

    Raises:
        UnknownNameError: no backend has that name.
        MissingDependencyError: the engine is not installed.
        BackendError: the engine is broken, refuses the file, or is for other files.
        DeviceUnavailableError: the device cannot be used.
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
    """Return what ``runtime tune`` found out about a file, if that still holds here."""
    engines = for_suffix(artifact.suffix)
    return preferred.find(artifact, lambda: {one.name: one.distributions() for one in engines})


def preferred_backend(artifact: Artifact, images: Callable[[], int], threads: int = 1) -> str:
    """Return the engine that is done the soonest with so many images a worker.

    Args:
        artifact: the model file.
        images: returns how many images a worker gets; called only where there is a record.
        threads: of one inference, for a single image; of many each has one thread.

    Returns:
        The name of what ``runtime tune`` found; ``auto`` where it found nothing.
    """
    found = tuned_for(artifact)
    if found is None:
        return AUTO
    count = images()
    best = found.best(threads if count <= 1 else 1, count)
    return best.backend if best else AUTO


def _open_on_any_device(artifact: Artifact, name: str, options: BackendOptions) -> Backend:
    """Open a model on the GPU if a process of its own proves that it runs there, else on the CPU.

    A bad driver ends a process by a signal, so that it is tried in one that may die. No
    process is started where an engine cannot use a GPU here at all.
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
        reasons.append(reason)
    engine = open_backend(artifact, name, on_cpu(options))
    engine.fallback = "; ".join(dict.fromkeys(reasons))
    _log.info("%s runs on the CPU: %s", artifact.path.name, engine.fallback)
    return engine


def on_cpu(options: BackendOptions) -> BackendOptions:
    """Return the options without what is only for a GPU."""
    return replace(options, device="cpu", precision="float32", providers=())


def _trial(artifact: Artifact, backend: type[Backend], options: BackendOptions) -> str:
    """Run a model once in a process of its own; return why that failed, or nothing."""
    from runtime.workers.probe import probe

    with on_disk(artifact) as path:
        found = probe(path, backend.name, options)
    if found.error is None:
        return ""
    # An engine's own error names the engine; how a process ended does not.
    return found.error if found.kind else f"{backend.name} on a GPU: {found.error}"


def _installed(artifact: Artifact, options: BackendOptions) -> list[type[Backend]]:
    """Return what can be tried; for a GPU only engines that use one, if there are such."""
    found = [backend for backend in for_suffix(artifact.suffix) if backend.installed()]
    able = [] if options.device == "cpu" else [backend for backend in found if backend.uses_gpu]
    return able or found


def _fastest_first(
    installed: list[type[Backend]], artifact: Artifact, threads: int
) -> list[type[Backend]]:
    found = tuned_for(artifact)
    best = found.best(threads) if found else None
    return sorted(installed, key=lambda one: best is not None and one.name != best.backend)


def _first_that_opens(
    candidates: list[type[Backend]], artifact: Artifact, options: BackendOptions
) -> Backend:
    refusals: list[BackendError] = []
    for backend in candidates:
        try:
            return _open(backend, artifact, options)
        except BackendError as error:
            _log.info("%s", error)
            refusals.append(error)
    raise joined(refusals)


def _open(backend: type[Backend], artifact: Artifact, options: BackendOptions) -> Backend:
    if options.device == "gpu":
        from runtime.workers.remote_backend import needs_remote, remote_class

        backend = remote_class(backend) if needs_remote(backend, options) else backend
    engine = backend(artifact, options)
    _log.debug("%s: %s %s on %s", artifact.path.name, engine.name, engine.version(), engine.place)
    return engine
