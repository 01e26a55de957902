"""What ``--backend`` means on the workstation: an engine, ``auto``, or ``all`` that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends import AUTO, for_suffix, registry
from runtime.registry import pick

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact

ALL = "all"


def check_engine(name: str) -> None:
    """Refuse a name that ``--backend`` does not take.

    Raises:
        UnknownNameError: it is neither an engine nor ``auto`` nor ``all``.
    """
    if name not in (AUTO, ALL):
        pick(registry(), "backend", name)


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
