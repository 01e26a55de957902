"""Turns the end of a probe into what is wrong and the command that mends it."""

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

ANSWER = (1 / 15, 2 / 15, 4 / 15, 8 / 15)  # of the tiny models, by hand: tests/.../make_tiny.py
_TOLERANCE = 0.01  # one step of the int8 logits moves a probability by up to 0.006
_NUMPY_1 = re.compile(r"built for numpy 1|_ARRAY_API|compiled using NumPy 1\.x")
_SHELL_SIGNAL = 128  # a shell ends with 128 + the signal that killed what it ran
# What engines are built for, on Arm and on x86, and may forget to ask about.
_ARM = ("atomics", "dotprod", "fp16", "i8mm", "bf16", "sve")
_X86 = ("avx", "fma", "avx2", "avx512", "vnni")


def is_right(probe: Probe) -> bool:
    """Whether the tiny model gave the answer that was computed by hand."""
    found = probe.probabilities
    return (
        probe.error is None
        and len(found) == len(ANSWER)
        and all(abs(a - b) <= _TOLERANCE for a, b in zip(found, ANSWER, strict=True))
    )


def of_working(evidence: Evidence) -> Diagnosis | None:
    """Return what is wrong with an engine although it answers right; mostly nothing."""
    return _twice(evidence) or _too_old(evidence)


def of_broken(evidence: Evidence, probe: Probe, others: list[type[Backend]]) -> Diagnosis:
    """Return what is wrong with an engine that died, refused or answered wrongly.

    Args:
        evidence: what is known of the engine.
        probe: how the process ended.
        others: all engines, the preferred ones first.
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
    return Diagnosis(told(probe), repair(evidence))


def killed_by(probe: Probe) -> str:
    """Return the signal that killed the process, by name; empty where none did."""
    number = -probe.code if probe.code < 0 else 0
    if probe.code > _SHELL_SIGNAL and not probe.kind:
        number = probe.code - _SHELL_SIGNAL
    return next((one.name for one in Signals if one == number), "")


def told(probe: Probe) -> str:
    """Return what went wrong in one line, without the advice that may follow it."""
    if probe.kind:
        return (probe.error or "").partition("; install it again")[0]
    lines = probe.stderr.strip().splitlines()
    return f"{probe.error}: {lines[-1]}" if lines else f"{probe.error}"


def repair(evidence: Evidence) -> str:
    """Return the command that puts a sound engine in the place of this one."""
    if _is_too_old(evidence):
        return f'pip install --upgrade "{evidence.backend.package}>={evidence.floor}"'
    names = evidence.distributions or (evidence.backend.package,)
    return f"pip install --force-reinstall --no-deps {names[0]}"


def _illegal(evidence: Evidence, others: list[type[Backend]]) -> Diagnosis:
    """A wheel built for a newer processor: onnxruntime 1.21.0 on Raspberry Pi 4, issue 23957."""
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
    # while it is installed, it is the first choice for its files
    remove = f"pip uninstall -y {' '.join(evidence.distributions) or evidence.backend.package}"
    bring = "" if other.installed() else f" && {wheels.install(other)}"
    return Diagnosis(problem, f"{remove}{bring}")


def _killed(evidence: Evidence, signal: str) -> Diagnosis:
    if signal == "SIGKILL":
        free = evidence.host.free_mb
        left = f" ({free} MB are free)" if free is not None else ""
        problem = f"{evidence.title} was killed; the system does so for lack of memory{left}"
        return Diagnosis(problem, "free -m  # then end what takes the memory, or add swap")
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
    """A folder without metadata: what an uninstall left, or a namesake."""
    if evidence.distributions:
        return None
    module = evidence.backend.module
    problem = f"a folder {module} is there, but no package that brings it ({told(probe)})"
    return Diagnosis(problem, repair(evidence))


def _hung(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    if probe.kind != TIMEOUT:
        return None
    return Diagnosis(f"{evidence.title} hangs: {probe.error}", repair(evidence))


def _wrong(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    if probe.error is not None:
        return None
    found = " ".join(f"{value:.3f}" for value in probe.probabilities)
    right = " ".join(f"{value:.3f}" for value in ANSWER)
    problem = f"{evidence.title} answers {found} where {right} is right"
    return Diagnosis(problem, repair(evidence))
