"""One run of a model file in another process: a broken engine may crash Python itself.

The result: whether it ran, on which device, its output, its memory, and how the process ended.
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
TIMEOUT = "TimeoutError"  # ``kind`` of a probe that did not end


@dataclass(frozen=True, slots=True)
class Probe:
    """Result of a process that opened a model file and predicted once.

    Attributes:
        error: why it did not run; None if it ran.
        kind: class of the error, for example ``DeviceUnavailableError``; empty if the process
            died without reporting one.
        backend: engine that ran the file.
        device: device on which it ran.
        probabilities: output for a grey image.
        peak_mb: peak resident memory of the process, in MB (1,000,000 bytes).
        load_ms: time to import the engine and open the file, in milliseconds.
        first_ms: time of the first prediction, in milliseconds.
        code: exit code of the process; negative: minus the signal that killed it.
        stderr: end of its output on stderr.

    Example::

        found = probe("mnist-cnn.int8.tflite", "litert")
        print(found.error or f"{found.peak_mb} MB")
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
    """Open a model file in a new process and predict once.

    Args:
        path: a model file.
        backend: an engine, or ``auto``.
        options: device and threads.
        python: the interpreter; that of this process if not given.
        seconds: time limit; a slow device needs a while for its first import.

    Returns:
        The result; a failure is reported in it, not raised.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.

    Example::

        found = probe("mnist-cnn.int8.tflite", options=BackendOptions("gpu"))
        print(found.device or found.error)
    """
    file = artifacts.read(path)  # a damaged file is an error here, not a result
    arguments = (str(file.path), backend, asdict(options or BackendOptions()))
    return _run_process(str(python), arguments, seconds)


def peak_memory(
    path: Path | str, backend: str = AUTO, options: BackendOptions | None = None
) -> float:
    """Return the peak memory of a new process that loads a file and predicts once.

    Python, numpy and the engine are included, as on a device.

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

    Example::

        print(f"{peak_memory('mnist-cnn.int8.tflite', 'litert')} MB")
    """
    return must_run(path, backend, options).peak_mb


def must_run(path: Path | str, backend: str = AUTO, options: BackendOptions | None = None) -> Probe:
    """Do :func:`probe`, and raise an error if the file does not run.

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: the file does not run in a process of its own.

    Example::

        print(f"{must_run('mnist-cnn.int8.tflite').load_ms} ms")
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
