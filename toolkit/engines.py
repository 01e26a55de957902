"""Values of ``--backend`` on the workstation: an engine, ``auto``, or ``all`` installed ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends import AUTO, for_suffix, registry
from runtime.errors import BackendError, MissingDependencyError
from runtime.registry import pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.modelfile.artifact import Artifact

ALL = "all"


def check_engine(name: str) -> None:
    """Check a value of ``--backend``.

    Raises:
        UnknownNameError: it is neither an engine nor ``auto`` nor ``all``.
        MissingDependencyError: the engine is not installed.

    Example:
        >>> check_engine("all")
        >>> check_engine("litter")
        Traceback (most recent call last):
        runtime.errors.UnknownNameError: unknown backend 'litter'. Did you mean 'litert'...
    """
    if name in (AUTO, ALL):
        return
    engine = pick(registry(), "backend", name)
    if not engine.installed():
        raise MissingDependencyError(engine.package, engine.extra, f"use backend {name}")


def check_files(files: Sequence[Artifact], requested: str) -> None:
    """Refuse an engine that runs none of the files.

    Args:
        files: the model files.
        requested: a value that :func:`check_engine` accepts.

    Raises:
        BackendError: it is for files of another kind.

    Example::

        check_files(read_files([Path("model.onnx")]), "litert")  # BackendError
    """
    if requested in (AUTO, ALL) or not files:
        return
    suffixes = registry()[requested].suffixes
    if not any(file.suffix in suffixes for file in files):
        names = ", ".join(file.path.name for file in files)
        raise BackendError(
            f"backend {requested} runs {' and '.join(suffixes)} files, not {names}; --backend auto "
            "takes an engine that does"
        )


def engines_for(file: Artifact, requested: str) -> list[str]:
    """Return the engines in which to run a file.

    Args:
        file: the model file.
        requested: a value that :func:`check_engine` accepts.

    Returns:
        The requested engine; for ``all`` the installed engines for such files, or ``auto``
        if there is none, whose error names what to install.

    Example::

        for name in engines_for(file, ALL):
            with open_silently(file, name) as classifier:
                print(name, classifier.predict_batch(images).argmax(axis=1))
    """
    if requested != ALL:
        return [requested]
    return [engine.name for engine in for_suffix(file.suffix) if engine.installed()] or [AUTO]
