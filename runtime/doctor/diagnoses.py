"""Diagnoses: from the result of a probe to the problem and the command that fixes it."""

from __future__ import annotations

import re
from signal import Signals
from typing import TYPE_CHECKING

from runtime.doctor import libraries, wheels
from runtime.doctor.engine import Diagnosis, Evidence
from runtime.doctor.packages import older
from runtime.workers.probe import TIMEOUT, Probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends import Backend

EXPECTED = (
    1 / 15,
    2 / 15,
    4 / 15,
    8 / 15,
)  # softmax of the tiny models, computed in tests/…/make_tiny.py
_TOLERANCE = 0.01  # one step of the int8 logits moves a probability by up to 0.006
_NUMPY_1 = re.compile(r"built for numpy 1|_ARRAY_API|compiled using NumPy 1\.x")
_SHELL_SIGNAL = 128  # a shell ends with 128 + the signal that killed what it ran
# Instructions that engines are built for, on Arm and on x86, and may use without checking.
_ARM = ("atomics", "dotprod", "fp16", "i8mm", "bf16", "sve")
_X86 = ("avx", "fma", "avx2", "avx512", "vnni")


def is_right(probe: Probe) -> bool:
    """Whether the tiny model predicted the expected probabilities.

    Args:
        probe: the result of the process.

    Example:
        >>> is_right(Probe(probabilities=EXPECTED)), is_right(Probe(error="exit code 1"))
        (True, False)
    """
    found = probe.probabilities
    return (
        probe.error is None
        and len(found) == len(EXPECTED)
        and all(abs(a - b) <= _TOLERANCE for a, b in zip(found, EXPECTED, strict=True))
    )


def of_working(evidence: Evidence) -> Diagnosis | None:
    """Return the problem of an engine although it predicts correctly; usually None.

    Args:
        evidence: the facts about the engine.

    Example::

        if found := of_working(evidence):
            print(found.problem, found.fix)
    """
    return _twice(evidence) or _too_old(evidence)


def of_broken(evidence: Evidence, probe: Probe, others: list[type[Backend]]) -> Diagnosis:
    """Return the problem of an engine that crashed, failed or predicted wrongly.

    Args:
        evidence: the facts about the engine.
        probe: the result of the process.
        others: all engines, the preferred ones first.

    Example::

        found = of_broken(evidence, probe, list(registry().values()))
        print(found.problem, found.fix)
    """
    signal = killed_by(probe)
    if signal == "SIGILL":
        return _illegal(evidence, others)
    if signal:
        return _killed(evidence, signal)
    rules: tuple[Callable[[Evidence, Probe], Diagnosis | None], ...] = (
        lambda e, _: _twice(e),
        _numpy,
        libraries.diagnose,
        _left_over,
        _hung,
        _wrong,
    )
    for rule in rules:
        if found := rule(evidence, probe):
            return found
    return Diagnosis(error_line(probe), repair(evidence))


def killed_by(probe: Probe) -> str:
    """Return the name of the signal that killed the process; empty if none did.

    Args:
        probe: the result of the process.

    Example:
        >>> killed_by(Probe(error="died", code=-4)), killed_by(Probe())
        ('SIGILL', '')
    """
    number = -probe.code if probe.code < 0 else 0
    if probe.code > _SHELL_SIGNAL and not probe.kind:
        number = probe.code - _SHELL_SIGNAL
    return next((one.name for one in Signals if one == number), "")


def error_line(probe: Probe) -> str:
    """Return the error of a probe in one line, without the advice that may follow it.

    Args:
        probe: the result of the process.

    Example:
        >>> error_line(Probe(error="exit code 1", code=1, stderr="libfoo.so: no such file"))
        'exit code 1: libfoo.so: no such file'
    """
    if probe.kind:
        return (probe.error or "").partition("; install it again")[0]
    lines = probe.stderr.strip().splitlines()
    return f"{probe.error}: {lines[-1]}" if lines else f"{probe.error}"


def repair(evidence: Evidence) -> str:
    """Return the command that replaces the engine by a working one.

    Args:
        evidence: the facts about the engine.

    Example::

        print(repair(evidence))  # pip install --force-reinstall --no-deps onnxruntime
    """
    if _is_too_old(evidence):
        return f'pip install --upgrade "{evidence.backend.package}>={evidence.floor}"'
    names = evidence.distributions or (evidence.backend.package,)
    return f"pip install --force-reinstall --no-deps {names[0]}"


def _illegal(evidence: Evidence, others: list[type[Backend]]) -> Diagnosis:
    """Diagnose a wheel built for a newer processor.

    Known case: onnxruntime 1.21.0 on Raspberry Pi 4, its issue 23957.
    """
    host = evidence.host
    wanted = _ARM if "neon" in host.features else _X86
    without = ", ".join(name for name in wanted if name not in host.features)
    cpu = f"{host.cpu}, {host.board}" if host.board else host.cpu
    known = f"; it has no {without}" if host.features and without else ""
    problem = (
        f"{evidence.title} ends Python with SIGILL: it uses an instruction that this processor "
        f"({cpu}) does not have{known}"
    )
    other = wheels.other_engine(evidence.backend, others, host)
    if other is None or _is_too_old(evidence):
        return Diagnosis(problem, repair(evidence))
    # as long as it is installed, it is the first choice for its files
    remove = f"pip uninstall -y {' '.join(evidence.distributions) or evidence.backend.package}"
    add = "" if other.installed() else f" && {wheels.install(other)}"
    return Diagnosis(problem, f"{remove}{add}")


def _killed(evidence: Evidence, signal: str) -> Diagnosis:
    if signal == "SIGKILL":
        free = evidence.host.free_mb
        left = f" ({free} MB are free)" if free is not None else ""
        problem = f"{evidence.title} was killed; the system does so for lack of memory{left}"
        return Diagnosis(problem, "free -m  # then stop what uses the memory, or add swap")
    return Diagnosis(f"{evidence.title} ends Python with {signal}", repair(evidence))


def _twice(evidence: Evidence) -> Diagnosis | None:
    names = evidence.distributions
    if len(names) < 2:
        return None
    nvidia = any("NVIDIA" in gpu for gpu in evidence.host.gpus)
    keep = evidence.backend.package
    if nvidia and f"{keep}-gpu" in names:
        keep = f"{keep}-gpu"
    problem = f"{' and '.join(names)} are installed together and overwrite each other's files"
    return Diagnosis(problem, f"pip uninstall -y {' '.join(names)} && pip install {keep}")


def _too_old(evidence: Evidence) -> Diagnosis | None:
    if not _is_too_old(evidence):
        return None
    problem = f"{evidence.title} is older than {evidence.floor}, the oldest that is tested"
    return Diagnosis(problem, repair(evidence))


def _is_too_old(evidence: Evidence) -> bool:
    version, floor = evidence.version, evidence.floor
    return version is not None and floor is not None and older(version, floor)


def _numpy(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    numpy = evidence.host.numpy
    if older(numpy, "2") or not _NUMPY_1.search(f"{probe.error}\n{probe.stderr}"):
        return None
    problem = f"{evidence.title} was built for numpy 1, and numpy {numpy} is installed"
    return Diagnosis(problem, 'pip install "numpy<2"')


def _left_over(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    """Diagnose a folder without metadata: the rest of an uninstall, or another package."""
    if evidence.distributions:
        return None
    module = evidence.backend.module
    problem = f"there is a folder {module}, but no package that contains it ({error_line(probe)})"
    return Diagnosis(problem, repair(evidence))


def _hung(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    if probe.kind != TIMEOUT:
        return None
    return Diagnosis(f"{evidence.title} hangs: {probe.error}", repair(evidence))


def _wrong(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    if probe.error is not None:
        return None
    found = " ".join(f"{value:.3f}" for value in probe.probabilities)
    expected = " ".join(f"{value:.3f}" for value in EXPECTED)
    problem = f"{evidence.title} predicts {found}, expected {expected}"
    return Diagnosis(problem, repair(evidence))
