"""Exceptions of the three packages.

Every message is one line: what was given, what is allowed and, if there is one, the command
that fixes it::

    EdgeError
    ├── UnknownNameError      (LookupError)    no such format, backend, dataset …
    ├── MissingDependencyError (ImportError)   an optional package is not installed
    ├── BackendError          (RuntimeError)   an engine is broken or rejects the file
    │   └── DeviceUnavailableError             the requested device is not available
    ├── ArtifactError         (ValueError)     the model file cannot be used
    │   └── IntegrityError                     its bytes are not those that were written
    ├── InputError            (ValueError)     an image or array cannot be used
    ├── DataError             (ValueError)     a dataset is missing or wrong
    ├── ExportError           (RuntimeError)   a conversion failed
    │   └── CalibrationError                   the calibration set cannot be used
    └── ParityError                            the model file predicts something else

Example::

    try:
        classifier = runtime.load("mnist-cnn.int8.tflite")
    except runtime.EdgeError as error:
        sys.exit(f"{error}")
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
    """Base class of all errors of the three packages.

    Attributes:
        exit_code: exit code of the command lines.

    Example:
        >>> issubclass(InputError, EdgeError), DeviceUnavailableError.exit_code
        (True, 3)
    """

    exit_code = EXIT_BAD_INPUT


class UnknownNameError(EdgeError, LookupError):
    """A name is not in its registry.

    Example:
        >>> print(UnknownNameError("format", "int8", ["tflite-int8", "onnx"]))
        unknown format 'int8'. Did you mean 'tflite-int8'? Known: onnx, tflite-int8.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        """List the unknown name, the closest known one and all known ones.

        Args:
            kind: what the name refers to, for example ``"format"``.
            name: the unknown name.
            known: the known names.
        """
        from difflib import get_close_matches

        in_order = list(known)
        names = sorted(in_order)
        # a part of a name matches the first that contains it: tflite-int8 before onnx-int8
        parts = [one for one in in_order if len(name) > 2 and name.lower() in one.lower()]
        close = parts or get_close_matches(name, names, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")


class MissingDependencyError(EdgeError, ImportError):
    """An optional package is not installed.

    Example:
        >>> print(MissingDependencyError("onnxruntime", "onnx", "run .onnx files"))
        onnxruntime is not installed; it is needed to run .onnx files. Install it: pip install ...
    """

    exit_code = EXIT_NO_ENGINE

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        """State the package, its purpose and the command that installs it.

        Args:
            package: the missing distribution, for example ``"ai-edge-litert"``.
            extra: the extra of this distribution that installs it.
            purpose: its purpose, as the end of the sentence "… is needed to …".
        """
        super().__init__(
            f"{package} is not installed; it is needed to {purpose}. "
            f'Install it: pip install "edge-toolkit[{extra}]"'
        )


class BackendError(EdgeError, RuntimeError):
    """An engine is broken, or rejects the model file."""

    exit_code = EXIT_NO_ENGINE


class DeviceUnavailableError(BackendError):
    """The requested device cannot run the model on this machine."""


def joined(refusals: Sequence[BackendError]) -> BackendError:
    """Return one error for several engines or files that failed.

    Args:
        refusals: at least one; if all of them lack the device, the result is a
            :class:`DeviceUnavailableError`, too.

    Example:
        >>> print(joined([BackendError("litert failed"), BackendError("onnxruntime failed")]))
        litert failed; onnxruntime failed
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
    """The predictions of a model file differ too much from those of its reference."""

    exit_code = EXIT_CHECK_FAILED


_MOST = 500  # names: more take a while, and are numbered, so that the closest is no hint


def did_you_mean(path: Path | str) -> str:
    """Return a suggestion for the message that a file or folder is missing.

    Args:
        path: the missing path; its first missing folder is compared with existing names.

    Returns:
        For example ``. Did you mean 'runs/latest'?``; empty if no name is similar.

    Example:
        >>> Path("seven.png").touch()
        >>> did_you_mean("sevne.png")
        ". Did you mean 'seven.png'?"
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
