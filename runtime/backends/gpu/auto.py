"""``--device auto``: the GPU if a process of its own proves it, else the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runtime.errors import EdgeError
from runtime.modelfile.artifact import on_disk

if TYPE_CHECKING:
    from runtime.backends.base import Backend
    from runtime.backends.options import BackendOptions
    from runtime.modelfile.artifact import Artifact


def open_proven(
    artifact: Artifact, candidates: list[type[Backend]], options: BackendOptions
) -> tuple[Backend | None, str]:
    """Open a model on the GPU, in the first engine that ran it there in another process.

    A bad driver ends a process by a signal, so that it is tried in one that may die. No
    process is started where an engine cannot use a GPU here at all.

    Args:
        artifact: the model file.
        candidates: the engines to try.
        options: precision and providers.

    Returns:
        The open engine and nothing, or None and why no engine can.
    """
    gpu = replace(options, device="gpu")
    reasons: list[str] = []
    for backend in candidates:
        try:
            reason = backend.gpu_obstacle(options.providers) or _trial(artifact, backend, gpu)
            if not reason:
                return backend(artifact, gpu), ""
        except EdgeError as error:
            reason = str(error)
        reasons.append(reason)
    return None, "; ".join(dict.fromkeys(reasons))


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
    # What the engine raised tells of itself; how a process ended does not.
    return found.error if found.kind else f"{backend.name} on a GPU: {found.error}"
