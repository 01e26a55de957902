"""A classifier in a process of its own, to work on images beside others.

Preparing a photo is some two hundred short calls of numpy and Pillow. Threads that do it wait
for Python's lock most of the time: two of them did 0.9 to 1.2 times the photos of one
(tests/benchmarks/throughput.py). Processes do not wait for each other.

Both ends of the pipe are here: what goes through it is pickled, by this program for itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import subprocess
import sys
from typing import IO, TYPE_CHECKING, Any

from runtime import artifact as artifacts
from runtime import processes
from runtime.errors import BackendError, EdgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.classifier import Classifier
    from runtime.stream import Answers

_READY = "ready"


class Companion:
    """One process with the model of a classifier, its engine on one thread, its options."""

    def __init__(self, classifier: Classifier) -> None:
        """Start the process; it is :attr:`ready` a little later.

        Raises:
            BackendError: no process can be started.
        """
        self._files = contextlib.ExitStack()
        path = self._files.enter_context(artifacts.on_disk(classifier.artifact))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                processes.command("runtime.companion", str(path), classifier.backend.name),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=processes.environment(),
                start_new_session=True,  # Ctrl-C is for the parent alone
            )
        except OSError as error:
            self._files.close()
            raise BackendError(
                f"cannot start a process for many images ({error.strerror}); --threads 1 needs none"
            ) from error
        self._greeted = False
        self._send((classifier.labels, classifier.spec))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it waits for images, or has failed: :meth:`answer` tells."""
        return self._greeted or bool(select.select([_pipe(self._process.stdout)], [], [], 0)[0])

    def answer(self, images: Sequence[Any]) -> Answers:
        """Classify images; see :func:`runtime.stream.answer`.

        Raises:
            BackendError: the engine failed there, or the process died.
        """
        if not self._greeted:
            self._receive()
            self._greeted = True
        self._send(images)
        answers: Answers = self._receive()
        return answers

    def close(self) -> None:
        """End the process, in whatever it is doing: it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()
        self._files.close()

    def _send(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died: the answer will say so
            _write(_pipe(self._process.stdin), message)

    def _receive(self) -> Any:
        try:
            message = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - our own process
        except (EOFError, pickle.UnpicklingError) as error:
            code = self._process.wait()
            raise BackendError(
                f"a process for many images ended with code {code} (out of memory?); "
                "--threads 1 needs none"
            ) from error
        if isinstance(message, BackendError):
            raise message
        return message


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise BackendError("the process for many images has no pipe")
    return stream


def _write(stream: IO[bytes], message: Any) -> None:
    pickle.dump(message, stream, pickle.HIGHEST_PROTOCOL)
    stream.flush()


def _serve(path: str, backend: str, tasks: IO[bytes], answers: IO[bytes]) -> None:
    """Open a model file, say that it is open, and answer tasks until the other end closes."""
    from runtime.backends import BackendOptions
    from runtime.classifier import LoadOptions, from_artifact
    from runtime.stream import answer

    labels, spec = pickle.load(tasks)  # noqa: S301 - from the process that started this one
    how = LoadOptions(labels, lambda _: spec)
    with from_artifact(artifacts.read(path), backend, BackendOptions(), how) as classifier:
        _write(answers, _READY)
        while True:
            try:
                task = pickle.load(tasks)  # noqa: S301 - as above
            except EOFError:
                return
            _write(answers, answer(classifier, task))


def main(path: str, backend: str) -> None:
    """Serve the process that started this one; what fails is told it.

    Args:
        path: the model file.
        backend: the engine.
    """
    # Engines print on file descriptor 1; the answers get a copy of their own.
    with os.fdopen(os.dup(1), "wb") as answers, contextlib.suppress(BrokenPipeError):
        os.dup2(2, 1)
        try:
            _serve(path, backend, sys.stdin.buffer, answers)
        except EdgeError as error:
            _write(answers, BackendError(str(error)))
        except Exception as error:  # noqa: BLE001 - the parent tells it
            _write(answers, BackendError(f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
