"""Runs a tiny model in each engine, each in its own process, and diagnoses the results."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.backends import AUTO, BackendOptions, registry
from runtime.doctor import diagnoses, wheels
from runtime.doctor.cautions import cautions
from runtime.doctor.engine import BROKEN, MISSING, WORKS, EngineState, Evidence, Gpu
from runtime.doctor.packages import bringing, floor
from runtime.doctor.report import DoctorReport
from runtime.host import host, power_state
from runtime.proc import ROOT
from runtime.registry import pick
from runtime.workers.probe import CHILD_SECONDS, probe

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.host import Host
    from runtime.workers.probe import Probe

_FOLDER = Path(__file__).parent  # contains the tiny models
_PARALLEL = 2  # processes: more would overload a small board
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What to examine.

    Attributes:
        backend: an engine, or ``auto`` for all.
        device: ``cpu``; ``gpu``: the GPU as well; ``auto``: the GPU if the system lists one.
        seconds: time limit per engine.
        python: the Python interpreter to examine.
        root: folder that contains ``proc`` and ``sys``.

    Example:
        >>> DoctorOptions(backend="onnxruntime", device="cpu").backend
        'onnxruntime'
    """

    backend: str = AUTO
    device: str = AUTO
    seconds: float = CHILD_SECONDS
    python: Path | str = sys.executable
    root: Path = ROOT

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such backend or device.
        """
        if self.backend != AUTO:
            pick(registry(), "backend", self.backend)
        BackendOptions(self.device)


def examine(options: DoctorOptions | None = None) -> DoctorReport:
    """Examine the engines and the machine.

    Each engine runs a tiny model with known predictions in its own process, so that an engine
    that crashes ends only that process.

    Args:
        options: what to examine.

    Example::

        report = examine()
        print(report.to_text())
    """
    options = options or DoctorOptions()
    machine, power = host(options.root), power_state(options.root)
    known = registry()
    chosen = known.values() if options.backend == AUTO else [known[options.backend]]
    with ThreadPoolExecutor(_PARALLEL) as pool:
        found = tuple(pool.map(partial(_examine, options=options, machine=machine), chosen))
    states = tuple(_weighed(one, found, machine) for one in found)
    return DoctorReport(states, machine, power, cautions(machine, power), options.device)


def _examine(backend: type[Backend], options: DoctorOptions, machine: Host) -> EngineState:
    others = list(registry().values())
    if not backend.installed():
        found = wheels.absent(backend, others, machine)
        return EngineState(backend.name, MISSING, problem=found.problem, fix=found.fix)
    names = bringing(backend.package, backend.module)
    least = floor(backend.package, backend.extra)
    evidence = Evidence(backend, backend.version(), least, names, machine)
    result = _run(backend, "tiny", "cpu", options)
    if not diagnoses.is_right(result):
        found = diagnoses.of_broken(evidence, result, others)
        return EngineState(
            backend.name, BROKEN, evidence.version, problem=found.problem, fix=found.fix
        )
    return _working(evidence, options)


def _weighed(one: EngineState, states: tuple[EngineState, ...], machine: Host) -> EngineState:
    """Mark a missing engine as not needed if others run the same files."""
    if one.status != MISSING:
        return one
    known = registry()
    left, same = set(known[one.name].suffixes), []
    for other in states:
        if other.available and left & set(known[other.name].suffixes):
            left -= set(known[other.name].suffixes)
            same.append(other.name)
    if left:
        first = (_first_choice(suffix, states, machine) for suffix in left)
        return replace(one, needed=any(name in (one.name, None) for name in first))
    run = "runs" if len(same) == 1 else "run"
    problem = f"{one.problem} ({' and '.join(same)} {run} the same files)"
    return replace(one, needed=False, problem=problem)


def _first_choice(suffix: str, states: tuple[EngineState, ...], machine: Host) -> str | None:
    """Return the preferred engine with a wheel for files that no engine runs yet."""
    known = registry()
    able = (
        state.name
        for state in states
        if suffix in known[state.name].suffixes and not wheels.lacking(known[state.name], machine)
    )
    return next(able, None)


def _working(evidence: Evidence, options: DoctorOptions) -> EngineState:
    backend = evidence.backend
    found = diagnoses.of_working(evidence)
    gpu = _gpu(backend, evidence.host, options)
    return EngineState(
        backend.name,
        WORKS,
        evidence.version,
        "cpu, gpu" if gpu and gpu.available else "cpu",
        found.problem if found else None,
        found.fix if found else None,
        gpu,
    )


def _gpu(backend: type[Backend], machine: Host, options: DoctorOptions) -> Gpu | None:
    if options.device == "cpu" or (options.device == AUTO and not machine.gpus):
        return None
    if not backend.uses_gpu:
        return Gpu(available=False, reason="it never uses one")
    result = _run(backend, "tiny-float", "gpu", options)
    if diagnoses.is_right(result):
        return Gpu(available=True)
    return Gpu(available=False, reason=_gpu_problem(result))


def _gpu_problem(result: Probe) -> str:
    """Return why a GPU did not run the tiny model, without advice about options of a model."""
    if result.error is None:
        return "it predicts wrongly there"
    text = diagnoses.error_line(result)
    return text.partition(" here: ")[2].removesuffix("; or use --device cpu") or text


def _run(backend: type[Backend], name: str, device: str, options: DoctorOptions) -> Probe:
    path = _FOLDER / f"{name}{backend.suffixes[0]}"
    result = probe(
        path,
        backend.name,
        BackendOptions(device),
        python=options.python,
        seconds=options.seconds,
    )
    _LOG.debug("%s in %s on %s: %s", path.name, backend.name, device, result)
    return result
