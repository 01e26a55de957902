"""Applies the faults of this folder, one at a time, and says which tests find each.

.. code-block:: console

    $ python tests/faults/run.py             # all, by the tests that each patch names
    $ python tests/faults/run.py softmax 13  # those whose file name contains one of the words
    $ python tests/faults/run.py --all       # then also by the whole suite: hours

A patch is applied to a temporary copy of the checkout: the checkout itself is never changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import click

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
_SUITE = ("-m", "not pi and not slow")
_TESTS = "Tests: "
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+\.py(?:::[^\s\[]+)?)", re.MULTILINE)
_NO_TESTS, _USAGE = 5, 4  # exit codes of pytest


@dataclass(frozen=True)
class Fault:
    """A patch with a mistake that a maintainer could make.

    Attributes:
        path: of the patch; before the diff stand ``sentence`` and ``tests``.
        sentence: what is wrong.
        tests: what pytest takes: the few fastest tests that should find it.
    """

    path: Path
    sentence: str
    tests: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Fault:
        """Read a patch.

        Raises:
            ValueError: its header is not two lines: a sentence, and the tests.
        """
        sentence, tests, *_ = path.read_text(encoding="utf-8").splitlines()
        if not sentence.endswith(".") or not tests.startswith(_TESTS):
            raise ValueError(f"{path.name} has to begin with a sentence and a line '{_TESTS}…'")
        return cls(path, sentence, tuple(tests.removeprefix(_TESTS).split()))

    @property
    def name(self) -> str:
        """Number and short name."""
        return self.path.stem

    def hunks(self) -> list[tuple[str, str]]:
        """Return each place that is changed: the file, and the lines there before the change."""
        found: list[tuple[str, str]] = []
        file = ""
        for line in self.path.read_text(encoding="utf-8").splitlines():
            if line.startswith("--- a/"):
                file = line.removeprefix("--- a/")
            elif line.startswith("@@"):
                found.append((file, ""))
            elif found and line[:1] in (" ", "-"):
                found[-1] = (file, f"{found[-1][1]}{line[1:]}\n")
        return found


def faults() -> list[Fault]:
    """Return all faults, by number."""
    return [Fault.read(path) for path in sorted(HERE.glob("[0-9]*.patch"))]


def apply(fault: Fault, folder: Path, *options: str) -> None:
    """Apply a patch to a folder.

    Raises:
        CalledProcessError: it does not apply.
    """
    command = ["git", "apply", "--unidiff-zero", *options, str(fault.path)]
    subprocess.run(command, cwd=folder, check=True, env=_plain_environment())


class Copies:
    """Copies of the checkout, one for each fault at work, and the tests that run in them."""

    def __init__(self, parent: Path, count: int) -> None:
        """Copy all that git would commit, with changes that are not committed yet."""
        self._idle: SimpleQueue[Path] = SimpleQueue()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        for number in range(count):
            copy = parent / str(number)
            for name in filter(None, names.stdout.split("\0")):
                if (ROOT / name).exists():
                    (copy / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
            self._idle.put(copy)

    def test(self, arguments: tuple[str, ...], fault: Fault | None = None) -> set[str]:
        """Return the tests that fail with a fault, or without any."""
        copy = self._idle.get()
        try:
            if fault is not None:
                apply(fault, copy)
            return self._pytest(copy, arguments)
        finally:
            if fault is not None:
                apply(fault, copy, "--reverse")
            self._idle.put(copy)

    def _pytest(self, copy: Path, arguments: tuple[str, ...]) -> set[str]:
        # the patches do not apply to a tree with one of them
        usual = ["-q", "--no-header", "--tb=no", "-rfE", f"--ignore={HERE.relative_to(ROOT)}"]
        environment = {
            "PYTHONPATH": str(copy),  # before the installed package
            # A fault changes a file within the second and often not its size: bytecode would stay.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *usual, *arguments],
            cwd=copy,
            env=_plain_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._running.add(process)
        if self._ended:
            self.end()
        output, _ = process.communicate()
        self._running.discard(process)
        if process.returncode in (_NO_TESTS, _USAGE):
            raise click.ClickException(f"pytest {' '.join(arguments)} runs no test:\n{output}")
        found = set(_FAILED.findall(output))
        if process.returncode and not found:
            found.add(f"all of them: pytest ended with {process.returncode}")
        return found

    def end(self) -> None:
        """End the tests that run, with all that they started, and start no more."""
        self._ended = True
        for process in list(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _plain_environment() -> dict[str, str]:
    """Return the environment without what makes git look at another checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


@click.command(help=__doc__.split("\n", maxsplit=1)[0])
@click.argument("words", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Then also run the whole suite.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True)
def main(words: tuple[str, ...], everything: bool, jobs: int) -> None:
    """Run the faults; exit with 1 if one is not found."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    chosen = [f for f in faults() if not words or any(word in f.name for word in words)]
    if not chosen:
        raise click.UsageError(f"no fault has one of these words in its name: {' '.join(words)}")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        copies = Copies(Path(folder), min(jobs, len(chosen)))
        pool = ThreadPoolExecutor(jobs)
        try:
            missed = _run(copies, pool, chosen, everything=everything)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            copies.end()
            pool.shutdown()
    if missed:
        raise click.ClickException(f"{len(missed)} of {len(chosen)} faults are not found: {missed}")


def _run(
    copies: Copies, pool: ThreadPoolExecutor, chosen: list[Fault], *, everything: bool
) -> list[str]:
    named = tuple(dict.fromkeys(test for fault in chosen for test in fault.tests))
    broken = copies.test(named) | (copies.test(_SUITE) if everything else set())
    if broken:
        click.echo(f"Without any fault these fail, and do not count: {', '.join(sorted(broken))}")

    def find(fault: Fault) -> tuple[set[str], set[str], float]:
        start = time.monotonic()
        first = copies.test(fault.tests, fault) - broken
        seconds = time.monotonic() - start
        rest = copies.test(_SUITE, fault) - broken - first if everything else set()
        return first, rest, seconds

    rows, missed = ["| fault | found by | seconds |", "|---|---|---|"], []
    for fault, (first, rest, seconds) in zip(chosen, pool.map(find, chosen), strict=True):
        tests = [*sorted(first), *sorted(rest)]
        if not tests:
            missed.append(fault.name)
        rows.append(f"| {fault.name} | {', '.join(tests) or 'NOT FOUND'} | {seconds:.1f} |")
        click.echo(f"{fault.name}: {f'{len(tests)} tests' if tests else 'NOT FOUND'}", err=True)
    click.echo("\n".join(rows))
    return missed


if __name__ == "__main__":
    main()
