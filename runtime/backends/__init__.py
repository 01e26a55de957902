"""Backends by name: the engines that run model files; one file here adds one more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends.base import Backend, BackendOptions
from runtime.errors import BackendError, DeviceUnavailableError, MissingDependencyError
from runtime.registry import discover, pick

if TYPE_CHECKING:
    from runtime.artifact import Artifact

__all__ = ["AUTO", "Backend", "BackendOptions", "for_suffix", "open_backend", "registry"]

AUTO = "auto"


def registry() -> dict[str, type[Backend]]:
    """Return the backend classes by name, the preferred ones first."""
    import runtime.backends as package

    return discover(package, Backend)  # type: ignore[type-abstract]


def for_suffix(suffix: str) -> list[type[Backend]]:
    """Return the backends that run files with this ending, the preferred ones first."""
    return [backend for backend in registry().values() if suffix in backend.suffixes]


def open_backend(artifact: Artifact, name: str, options: BackendOptions) -> Backend:
    """Open a model file in an engine.

    Args:
        artifact: the model file.
        name: a backend, or ``auto``: the first one that is installed and takes the file.
        options: device and threads.

    Raises:
        UnknownNameError: no backend has that name.
        MissingDependencyError: the engine is not installed.
        BackendError: the engine is broken, refuses the file, or is for other files.
        DeviceUnavailableError: the device cannot be used.
    """
    if name != AUTO:
        return pick(registry(), "backend", name)(artifact, options)
    candidates = for_suffix(artifact.suffix)
    installed = [backend for backend in candidates if backend.installed()]
    if not installed:
        first = candidates[0]
        raise MissingDependencyError(
            first.package, first.extra, f"run {artifact.suffix} files on this machine"
        )
    return _first_that_opens(installed, artifact, options)


def _first_that_opens(
    candidates: list[type[Backend]], artifact: Artifact, options: BackendOptions
) -> Backend:
    refusals: list[BackendError] = []
    for backend in candidates:
        try:
            return backend(artifact, options)
        except BackendError as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    no_device = all(isinstance(refusal, DeviceUnavailableError) for refusal in refusals)
    kind = DeviceUnavailableError if no_device else BackendError
    raise kind("; ".join(map(str, refusals)))
