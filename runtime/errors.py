"""The exceptions that the three packages raise on purpose.

Every message is one line that says what was given, what is allowed and, where
there is one, the command that mends it::

    EdgeError
    ├── UnknownNameError      (LookupError)    no such format, backend, dataset …
    ├── MissingDependencyError (ImportError)   an optional package is not installed
    ├── BackendError          (RuntimeError)   an engine is broken or refuses the file
    │   └── DeviceUnavailableError             the device asked for is not there
    ├── ArtifactError         (ValueError)     the model file cannot be used
    │   └── IntegrityError                     its bytes are not those that were written
    ├── InputError            (ValueError)     an image or array cannot be used
    ├── DataError             (ValueError)     a dataset is missing or wrong
    ├── ExportError           (RuntimeError)   a conversion failed
    │   └── CalibrationError                   the calibration set cannot be used
    └── ParityError                            the model file answers differently
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXIT_CHECK_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_NO_ENGINE = 3
EXIT_INTERRUPTED = 130


class EdgeError(Exception):
    """Base of every error raised on purpose; carries the exit code of the CLIs."""

    exit_code = EXIT_BAD_INPUT


class UnknownNameError(EdgeError, LookupError):
    """A name is not in its registry."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """Name the unknown thing, the nearest known one and all known ones.

        Args:
            kind: what the name should denote, for example ``"format"``.
            name: the name that was given.
            known: the names that exist.
        """
        from difflib import get_close_matches

        in_order = list(known)
        names = sorted(in_order)
        # a part of a name means the first that has it: int8 is tflite-int8 before onnx-int8
        parts = [one for one in in_order if len(name) > 2 and name.lower() in one.lower()]
        close = parts or get_close_matches(name, names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")


class MissingDependencyError(EdgeError, ImportError):
    """An optional package is not installed."""

    exit_code = EXIT_NO_ENGINE

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """Name the package, what it is for, and the command that installs it.

        Args:
            package: the distribution that is missing, for example ``"ai-edge-litert"``.
            extra: the extra of this distribution that brings it.
            purpose: what it is needed for, as the end of the sentence "… is needed to …".
        """
        super().__init__(
            f"{package} is not installed; it is needed to {purpose}. "
            f'Install it: pip install "edge-toolkit[{extra}]"'
        )


class BackendError(EdgeError, RuntimeError):
    """An engine is broken, or refuses the model file."""

    exit_code = EXIT_NO_ENGINE


class DeviceUnavailableError(BackendError):
    """The device that was asked for cannot run the model here."""


def joined(refusals: Sequence[BackendError]) -> BackendError:
    """Return one error for several engines or files that were refused.

    Args:
        refusals: one at least; where all lack the device, the result says that too.
    """
    if len(refusals) == 1:
        return refusals[0]
    no_device = all(isinstance(refusal, DeviceUnavailableError) for refusal in refusals)
    kind = DeviceUnavailableError if no_device else BackendError
    return kind("; ".join(map(str, refusals)))


class ArtifactError(EdgeError, ValueError):
    """A model file cannot be used."""


class IntegrityError(ArtifactError):
    """The bytes of a model file are not those that were written."""


class InputError(EdgeError, ValueError):
    """An image or array cannot be used as a model input."""


class DataError(EdgeError, ValueError):
    """A dataset is missing, or its content is not what it should be."""


class ExportError(EdgeError, RuntimeError):
    """A model cannot be converted."""


class CalibrationError(ExportError):
    """The calibration set cannot be used."""


class ParityError(EdgeError):
    """A model file does not answer as its reference does."""

    exit_code = EXIT_CHECK_FAILED


_MOST = 500  # names: more take a while, and are numbered, so that the nearest says little


def did_you_mean(path: Path | str) -> str:
    """Return the end of a message that says that a file or folder is missing.

    Args:
        path: what was named. The first of its folders that is missing is looked for.

    Returns:
        For example ``. Did you mean 'runs/latest'?``; empty where nothing has a name like it.
    """
    from difflib import get_close_matches

    named = Path(path)
    missing = next((one for one in reversed([named, *named.parents]) if not one.exists()), named)
    try:
        names = os.listdir(missing.parent)  # noqa: PTH208 - names only
    except OSError:
        return ""
    if len(names) > _MOST:
        return ""
    close = get_close_matches(missing.name, names, n=1)
    if not close:
        return ""
    meant = missing.parent / close[0] / named.relative_to(missing)
    return f". Did you mean '{meant if meant.exists() else missing.parent / close[0]}'?"
