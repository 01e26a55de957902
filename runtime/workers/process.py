"""The launcher of worker processes, and the format of their messages.

A worker process runs one *service*: a module with a function ``serve(channel)``. Messages are
pickled objects: both ends are this program, and no other process has the pipes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from threading import Timer
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from runtime.errors import BackendError, DeviceUnavailableError, EdgeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_LOG = logging.getLogger("runtime")
STARTED = b"\0worker process started\n"
_HOME = Path(__file__).parents[2]
_MAIN = "runtime.workers.main"
_MOST_PRINTED = 1 << 16  # bytes
_LAST_PRINTED = 4000  # characters of stderr that are kept
_GRACE = 5.0  # seconds to end after the pipe was closed


class Failure(NamedTuple):
    """Message of a worker process about an exception.

    Attributes:
        kind: class name of the exception.
        message: text of the exception.

    Example:
        >>> Failure.of(ValueError("bad shape"))
        Failure(kind='ValueError', message='ValueError: bad shape')
        >>> Failure("DeviceUnavailableError", "no GPU").error()
        DeviceUnavailableError('no GPU')
    """

    kind: str
    message: str

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Return the message for an exception; that of an unexpected one starts with its class."""
        kind = type(error).__name__
        return cls(kind, str(error) if isinstance(error, EdgeError) else f"{kind}: {error}")

    def error(self) -> BackendError:
        """Return the exception to raise in the parent."""
        unavailable = self.kind == DeviceUnavailableError.__name__
        return (DeviceUnavailableError if unavailable else BackendError)(self.message)


class WorkerEndedError(BackendError):
    """A worker process ended, or was ended, before it replied.

    Attributes:
        code: its exit code; negative: minus the signal that ended it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Channel:
    """One end of the two pipes between two processes; a message is one pickled object.

    Example:
        >>> import io
        >>> pipe = io.BytesIO()
        >>> Channel(pipe, pipe).send({"threads": 4})
        >>> _ = pipe.seek(0)
        >>> Channel(pipe, pipe).receive()
        {'threads': 4}
    """

    def __init__(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Take the pipes to read from and to write to."""
        self._source, self._target = source, target

    def send(self, message: Any) -> None:
        """Write one message.

        Raises:
            BrokenPipeError: the other process has ended.
        """
        pickle.dump(message, self._target, pickle.HIGHEST_PROTOCOL)
        self._target.flush()

    def receive(self) -> Any:
        """Read one message.

        Raises:
            EOFError: the other process has closed its end.
        """
        return pickle.load(self._source)  # noqa: S301 - written by this program


class WorkerProcess:
    """A Python process that runs a service of this package.

    Example::

        with WorkerProcess("runtime.workers.probe_service") as process:
            process.send(arguments)
            reply = process.receive()
    """

    def __init__(
        self,
        service: str,
        *,
        name: str = "a worker process",
        advice: str = "",
        python: str = sys.executable,
        variables: Mapping[str, str] | None = None,
        keep_stderr: bool = False,
        seconds: float | None = None,
    ) -> None:
        """Start the process; it is :attr:`ready` a little later.

        Args:
            service: import name of the module whose ``serve`` runs there.
            name: name of the process in messages.
            advice: end of messages about its failure, for example ``; use --threads 1``.
            python: the interpreter.
            variables: environment variables, besides those of this process.
            keep_stderr: whether to keep :attr:`stderr`.
            seconds: time after which the process is killed; None means never.

        Raises:
            BackendError: no process can be started.
        """
        self._name, self._advice = name, advice
        self._stderr = tempfile.TemporaryFile() if keep_stderr else None  # noqa: SIM115 - closed by close()
        self._started = False
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                # -P: a folder called "runtime" in the working directory must not be imported.
                [python, "-P", "-m", _MAIN, service],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr or subprocess.DEVNULL,
                env={**(variables or {}), **_environment()},
                start_new_session=True,  # Ctrl-C is for the parent alone
            )
        except OSError as error:
            self._close_stderr()
            raise BackendError(f"cannot start {name} ({error.strerror}){advice}") from error
        _LOG.debug("worker process %d started: %s", self.pid, service)
        self._channel = Channel(_pipe(self._process.stdout), _pipe(self._process.stdin))
        self._seconds, self._expired = seconds, False
        self._timer = Timer(seconds or 0.0, self._expire)
        if seconds is not None:
            self._timer.start()

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether Python has started, so that :meth:`send` need not wait for it."""
        if self._started:
            return True
        waiting = select.poll()
        waiting.register(_pipe(self._process.stdout), select.POLLIN)
        return bool(waiting.poll(0))

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    @property
    def stderr(self) -> str:
        """The end of its output on stderr; empty if it is not kept."""
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")[-_LAST_PRINTED:]

    def send(self, message: Any) -> None:
        """Send a message; if the process has ended, :meth:`receive` raises the error.

        Raises:
            WorkerEndedError: it ended before it started.
            TimeoutError: the time limit was reached.
        """
        self._wait_for_start()
        with contextlib.suppress(BrokenPipeError):
            self._channel.send(message)

    def receive(self) -> Any:
        """Wait for the next message.

        Raises:
            BackendError: the message is a :class:`Failure`, or not a message at all.
            WorkerEndedError: the process has ended.
            TimeoutError: the time limit was reached.
        """
        self._wait_for_start()
        try:
            message = self._channel.receive()
        except EOFError as error:
            raise self._ended() from error
        except Exception as error:  # other bytes than a message raise many kinds
            self.kill()
            raise BackendError(
                f"{self._name} replied with an invalid message{self._advice}"
            ) from error
        if isinstance(message, Failure):
            raise message.error()
        return message

    def kill(self) -> None:
        """End the process immediately: it holds no data to save."""
        self._process.kill()

    def close(self, grace: float = 0.0) -> None:
        """End the process and free its pipes.

        Args:
            grace: seconds that it gets to end by itself, once its pipe is closed.
        """
        self._timer.cancel()
        if not grace:
            self.kill()
        with contextlib.suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(grace or None)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        _LOG.debug("worker process %d ended", self.pid)
        _pipe(self._process.stdout).close()
        self._close_stderr()

    def __enter__(self) -> Self:
        """Return the process itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self.close()

    def _expire(self) -> None:
        _LOG.debug("worker process %d: no reply after %g s, killed", self.pid, self._seconds)
        self._expired = True
        self.kill()

    def _close_stderr(self) -> None:
        if self._stderr is not None:
            self._stderr.close()

    def _wait_for_start(self) -> None:
        """Skip the output of Python's start, for example of a ``sitecustomize``."""
        if self._started:
            return
        printed = 0
        while not (line := _pipe(self._process.stdout).readline(_MOST_PRINTED)).endswith(STARTED):
            printed += len(line)
            if not line:
                raise self._ended()
            if printed > _MOST_PRINTED:
                self.kill()
                raise BackendError(f"{self._name} prints without end{self._advice}")
        self._started = True

    def _ended(self) -> WorkerEndedError | TimeoutError:
        """Return the error for a process that has closed its end."""
        if self._expired:
            return TimeoutError(f"no reply after {self._seconds:g} s")
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        _LOG.debug("worker process %d died with code %d", self.pid, code)
        cause = ": out of memory?" if code == -signal.SIGKILL else ""
        return WorkerEndedError(f"{self._name} ended with code {code}{cause}{self._advice}", code)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise BackendError("a worker process has no pipe")
    return stream


def _environment() -> dict[str, str]:
    """Return the environment of this process, with this package in the search path.

    A checkout is the last entry of ``PYTHONPATH``, after those of the user. An installed package
    needs no entry.
    """
    variables = dict(os.environ)
    if str(_HOME) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        search = filter(None, [os.environ.get("PYTHONPATH"), str(_HOME)])
        variables["PYTHONPATH"] = os.pathsep.join(search)
    return variables
