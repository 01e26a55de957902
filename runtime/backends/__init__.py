"""Backends by name: the engines that run model files; one file here adds one more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends.base import Backend
from runtime.backends.options import BackendOptions
from runtime.errors import BackendError, MissingDependencyError, joined
from runtime.registry import discover, pick

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends.preferred import Tuned
    from runtime.modelfile.artifact import Artifact

__all__ = [
    "AUTO",
    "Backend",
    "BackendOptions",
    "for_suffix",
    "open_backend",
    "registry",
    "tuned_for",
]

AUTO = "auto"


def registry() -> dict[str, type[Backend]]:
    """Return the backend classes by name, the preferred ones first."""
    import runtime.backends as package

    return discover(package, Backend)  # type: ignore[type-abstract]


def for_suffix(suffix: str) -> list[type[Backend]]:
    """Return the backends that run files with this ending, the preferred ones first."""
    return [backend for backend in registry().values() if suffix in backend.suffixes]


def tuned_for(artifact: Artifact) -> Tuned | None:
    """Return what ``runtime tune`` found out about a file, if that still holds here."""
    from runtime.backends import preferred

    return preferred.find(artifact, for_suffix(artifact.suffix))


def open_backend(
    artifact: Artifact,
    name: str,
    options: BackendOptions,
    count: Callable[[], int] | None = None,
) -> Backend:
    """Open a model file in an engine.

    Args:
        artifact: the model file.
        name: a backend, or ``auto``: on the CPU the one that ``runtime tune`` found to be the
            fastest for so many threads or images, else the first that is installed and takes
            the file.
        options: how to run; with device ``auto`` the GPU is tried in another process, and
            where it does not run the file the engine's ``fallback`` says why.
        count: tells how many images each worker is to answer; asked only where an engine is
            chosen by it. None for single ones as they come, however many.

    Raises:
        UnknownNameError: no backend has that name.
        MissingDependencyError: the engine is not installed.
        BackendError: the engine is broken, refuses the file, or is for other files.
        DeviceUnavailableError: the device cannot be used.
    """
    if options.device == AUTO:
        return _open_auto(artifact, name, options, count)
    if name != AUTO:
        return pick(registry(), "backend", name)(artifact, options)
    installed = _installed(artifact, options)
    if not installed:
        first = for_suffix(artifact.suffix)[0]
        raise MissingDependencyError(
            first.package, first.extra, f"run {artifact.suffix} files on this machine"
        )
    if options.device == "cpu" and len(installed) > 1:
        installed = _fastest_first(installed, artifact, options.threads, count)
    return _first_that_opens(installed, artifact, options)


def _open_auto(
    artifact: Artifact, name: str, options: BackendOptions, count: Callable[[], int] | None
) -> Backend:
    from runtime.backends.gpu.auto import on_cpu, open_proven

    named = [] if name == AUTO else [pick(registry(), "backend", name)]
    engine, reason = open_proven(artifact, named or _installed(artifact, options), options)
    if engine is None:
        engine = open_backend(artifact, name, on_cpu(options), count)
        engine.fallback = reason
    return engine


def _installed(artifact: Artifact, options: BackendOptions) -> list[type[Backend]]:
    """Return what can be tried; for a GPU only engines that use one, if there are such."""
    found = [backend for backend in for_suffix(artifact.suffix) if backend.installed()]
    able = [] if options.device == "cpu" else [backend for backend in found if backend.uses_gpu]
    return able or found


def _fastest_first(
    installed: list[type[Backend]],
    artifact: Artifact,
    threads: int,
    count: Callable[[], int] | None,
) -> list[type[Backend]]:
    found = tuned_for(artifact)
    images = count() if found and count else None
    many = images is not None and images > 1
    best = found.best(1 if many else threads, images) if found else None  # many: one engine a core
    return sorted(installed, key=lambda one: best is not None and one.name != best.backend)


def _first_that_opens(
    candidates: list[type[Backend]], artifact: Artifact, options: BackendOptions
) -> Backend:
    refusals: list[BackendError] = []
    for backend in candidates:
        try:
            return backend(artifact, options)
        except BackendError as error:
            refusals.append(error)
    raise joined(refusals)
