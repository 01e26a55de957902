"""A classifier in a process of its own, to work on images beside others.

Preparing a photo is some hundred short calls of numpy and Pillow. Threads that do it wait for
Python's lock most of the time: two of them did 0.9 to 1.5 times the photos of one
(tests/benchmarks/throughput.py). Processes do not wait for each other.

Both ends of the pipe are here: what goes through it is pickled, by this program for itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

from runtime.errors import BackendError, EdgeError
from runtime.workers import process

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.model import Classifier
    from runtime.workers.stream import Answers

_STARTED = b"\0companion started\n"
_MOST_PRINTED = 1 << 16  # bytes
_GRACE = 5.0  # seconds
_ALONE = "; --threads 1 needs no other process"
# The C library of Linux gives memory back after each photo and fetches it again: 140 page faults,
# a tenth of the time. A process that is as old as its parent keeps it by itself.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "16777216"}


class Companion:
    """One process with the model of a classifier, its engine on one thread, its options."""

    def __init__(self, classifier: Classifier) -> None:
        """Start the process; it is :attr:`ready` a little later.

        Raises:
            BackendError: no process can be started.
        """
        self._options = (
            classifier.artifact,
            classifier.backend.name,
            classifier.labels,
            classifier.spec,
        )
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                process.command("runtime.workers.worker"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_KEEP_MEMORY | process.environment(),
                start_new_session=True,  # Ctrl-C is for the parent alone
            )
        except OSError as error:
            raise BackendError(
                f"cannot start a process for many images ({error.strerror}){_ALONE}"
            ) from error
        self._opened = False

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it waits for images, or has failed: :meth:`answer` tells."""
        if self._opened:
            return True
        waiting = select.poll()
        waiting.register(_pipe(self._process.stdout), select.POLLIN)
        return bool(waiting.poll(0))

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    @property
    def was_used(self) -> bool:
        """Whether it has started and was given a task."""
        return self._opened

    def answer(self, images: Sequence[Any]) -> Answers:
        """Classify images; see :func:`runtime.workers.stream.answer`.

        Raises:
            BackendError: the engine failed there, or the process died.
        """
        if not self._opened:
            self._wait_for_start()
            self._send(self._options)
            self._opened = True
        self._send((_here(), images))
        answers: Answers = self._receive()
        return answers

    def kill(self) -> None:
        """End the process, in whatever it is doing: it has nothing to lose."""
        self._process.kill()

    def close(self) -> None:
        """End the process and free its pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()

    def _send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died: the answer will say so
            _write(_pipe(self._process.stdin), message)

    def _wait_for_start(self) -> None:
        """Read what Python prints when it starts, if it does, up to the first word of ours."""
        printed = 0
        while not (line := _pipe(self._process.stdout).readline(_MOST_PRINTED)).endswith(_STARTED):
            printed += len(line)
            if not line:
                raise self._ended()
            if printed > _MOST_PRINTED:
                self.kill()
                raise BackendError(f"a process for many images prints without end{_ALONE}")

    def _receive(self) -> Any:
        try:
            message = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - our own process
        except EOFError as error:
            raise self._ended() from error
        except Exception as error:  # bytes of something else raise many unrelated kinds
            self.kill()
            raise BackendError(f"a process for many images answers with noise{_ALONE}") from error
        if isinstance(message, BackendError):
            raise message
        return message

    def _ended(self) -> BackendError:
        """Return what is to be said of a process that has closed its end."""
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        why = ": out of memory?" if code == -signal.SIGKILL else ""
        return BackendError(f"a process for many images ended with code {code}{why}{_ALONE}")


def _here() -> str:
    """Return the working folder; empty where it has been removed."""
    try:
        return os.getcwd()  # noqa: PTH109 - a text, as it goes through the pipe
    except OSError:
        return ""


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise BackendError("the process for many images has no pipe")
    return stream


def _write(stream: IO[bytes], message: Any) -> None:
    pickle.dump(message, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def serve(tasks: IO[bytes], answers: IO[bytes]) -> None:
    """Say that this process has started, open the model, and answer tasks.

    It ends when the other end closes, or when the model cannot be opened.

    Args:
        tasks: where the model, and then tasks, come from.
        answers: where answers go; what fails is told there.
    """
    from runtime.backends import BackendOptions
    from runtime.model import LoadOptions, from_artifact
    from runtime.workers.stream import answer

    answers.write(_STARTED)
    answers.flush()
    try:
        artifact, backend, labels, spec = pickle.load(tasks)  # noqa: S301 - from our parent
        how = LoadOptions(labels, lambda _: spec)
        classifier = from_artifact(artifact, backend, BackendOptions(), how)
    except EOFError:
        return
    except Exception as error:  # noqa: BLE001 - the parent tells it
        _write(answers, _told(error))
        return
    with classifier:
        while True:
            try:
                folder, images = pickle.load(tasks)  # noqa: S301 - as above
            except EOFError:
                return
            try:
                if folder:
                    os.chdir(folder)
                _write(answers, answer(classifier, classifier.backend, images))
            except Exception as error:  # noqa: BLE001 - as above; the next task may be sound
                _write(answers, _told(error))


def _told(error: Exception) -> BackendError:
    known = isinstance(error, EdgeError)
    return BackendError(str(error) if known else f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    # Engines print on file descriptor 1; the answers get a copy of their own.
    with os.fdopen(os.dup(1), "wb") as own, contextlib.suppress(BrokenPipeError):
        os.dup2(2, 1)
        serve(sys.stdin.buffer, own)
