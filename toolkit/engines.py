"""What ``--backend`` means on the workstation: an engine, ``auto``, or ``all`` that are there."""

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
    """Refuse a name that ``--backend`` does not take.

    Raises:
        UnknownNameError: it is neither an engine nor ``auto`` nor ``all``.
        MissingDependencyError: the engine is not installed.
    """
    if name in (AUTO, ALL):
        return
    engine = pick(registry(), "backend", name)
    if not engine.installed():
        raise MissingDependencyError(engine.package, engine.extra, f"use backend {name}")


def check_files(files: Sequence[Artifact], asked: str) -> None:
    """Refuse an engine that runs none of the files.

    Args:
        files: the model files.
        asked: an engine that :func:`check_engine` accepts.

    Raises:
        BackendError: it is for files of another kind.
    """
    if asked in (AUTO, ALL) or not files:
        return
    suffixes = registry()[asked].suffixes
    if not any(file.suffix in suffixes for file in files):
        names = ", ".join(file.path.name for file in files)
        raise BackendError(
            f"backend {asked} runs {' and '.join(suffixes)} files, not {names}; --backend auto "
            "takes an engine that does"
        )


def engines_for(file: Artifact, asked: str) -> list[str]:
    """Return the engines in which a file is to be run.

    Args:
        file: the model file.
        asked: what :func:`check_engine` lets pass.

    Returns:
        What was asked for; for ``all`` the installed engines for such files, or ``auto``
        where there is none, which then says what to install.
    """
    if asked != ALL:
        return [asked]
    return [engine.name for engine in for_suffix(file.suffix) if engine.installed()] or [AUTO]
