"""Runs a model file once in a process of its own: a bad engine may kill Python itself.

What the parent learns: whether it ran, on which device, what it answered, how much
memory it took, and how the process ended.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.backends.options import AUTO, BackendOptions
from runtime.errors import BackendError
from runtime.modelfile import artifact as artifacts
from runtime.workers.process import WorkerEndedError, WorkerProcess

CHILD_SECONDS = 120.0
_SERVICE = "runtime.workers.probe_service"
TIMEOUT = "TimeoutError"  # the kind of a probe that did not end


@dataclass(frozen=True, slots=True)
class Probe:
    """What became of a process that opened a model file and predicted once.

    Attributes:
        error: why it did not run; None where it ran.
        kind: the class of the error, for example ``DeviceUnavailableError``; empty where
            the process died without telling one.
        backend: the engine that ran the file.
        device: where it ran.
        probabilities: its answer to a grey image.
        peak_mb: the highest resident memory of the process, in MB (1,000,000 bytes).
        load_ms: import of the engine and opening of the file.
        first_ms: the first prediction.
        code: how the process ended; negative: minus the signal that killed it.
        stderr: the end of what it wrote there.
    """

    error: str | None = None
    kind: str = ""
    backend: str = ""
    device: str = ""
    probabilities: tuple[float, ...] = ()
    peak_mb: float = 0.0
    load_ms: float = 0.0
    first_ms: float = 0.0
    code: int = 0
    stderr: str = ""


def probe(
    path: Path | str,
    backend: str = AUTO,
    options: BackendOptions | None = None,
    *,
    python: Path | str = sys.executable,
    seconds: float = CHILD_SECONDS,
) -> Probe:
    """Open a model file in a fresh process and predict once.

    Args:
        path: a model file.
        backend: an engine, or ``auto``.
        options: device and threads.
        python: the interpreter; this one if not given.
        seconds: how long it may take; a slow device needs a while for its first import.

    Returns:
        What was found; a failure is told in it, not raised.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
    """
    file = artifacts.read(path)  # what is wrong with the file itself is told by its own error
    arguments = (str(file.path), backend, asdict(options or BackendOptions()))
    return _run_process(str(python), arguments, seconds)


def peak_memory(
    path: Path | str, backend: str = AUTO, options: BackendOptions | None = None
) -> float:
    """Return the most memory that a fresh process needs to load a file and predict once.

    Python, numpy and the engine are included: that is what a device has to hold.

    Args:
        path: a model file.
        backend: an engine, or ``auto``.
        options: device and threads.

    Returns:
        Resident memory in MB (1,000,000 bytes).

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: the file does not run in a process of its own.
    """
    return must_run(path, backend, options).peak_mb


def must_run(path: Path | str, backend: str = AUTO, options: BackendOptions | None = None) -> Probe:
    """Do :func:`probe` with a file that has to run.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: the file does not run in a process of its own.
    """
    found = probe(path, backend, options)
    if found.error is not None:
        name = Path(path).name
        raise BackendError(f"{name} does not run in a process of its own: {found.error}")
    return found


def _run_process(python: str, arguments: tuple[str, str, dict[str, Any]], seconds: float) -> Probe:
    with WorkerProcess(
        _SERVICE, name="the process", python=python, keep_stderr=True, seconds=seconds
    ) as process:
        try:
            process.send(arguments)
            fields = process.receive()
        except TimeoutError as error:
            return Probe(error=str(error), kind=TIMEOUT, code=1)
        except WorkerEndedError as error:
            return Probe(error=str(error), code=error.code, stderr=process.stderr)
        except BackendError as error:
            return Probe(error=str(error), code=1, stderr=process.stderr)
        return Probe(**fields, stderr=process.stderr)
