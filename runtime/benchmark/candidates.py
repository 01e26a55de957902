"""Which engines may compete for a model file: those that run it and answer right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from runtime.backends import BackendOptions, for_suffix
from runtime.errors import EdgeError
from runtime.model import open_silently
from runtime.modelfile.artifact import on_disk
from runtime.selftest import PASS, replay
from runtime.workers.probe import probe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.modelfile.artifact import Artifact

# Engines round int8 differently, which moves a probability by up to 0.02 here (measured on all
# formats of the examples); an engine that computes wrongly is off by far more.
_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Contender:
    """An engine for a file.

    Attributes:
        name: of the backend.
        version: of the engine; None where it is not installed.
        refusal: why it does not take part; empty where it does.
        load_ms: import of the engine and opening of the file, in a fresh process.
        peak_rss_mb: the highest resident memory of that process, in MB (1,000,000 bytes).
    """

    name: str
    version: str | None
    refusal: str = ""
    load_ms: float | None = None
    peak_rss_mb: float | None = None


def contenders(file: Artifact) -> tuple[Contender, ...]:
    """Try a file in all engines, each in a process of its own: a bad one ends only that.

    An engine answers right if it passes the self-test that travels in the file; where there
    is none, if its answer to a grey image is near that of the first engine that runs it.

    Args:
        file: the model file.
    """
    found: list[Contender] = []
    answer: Sequence[float] = ()
    with on_disk(file) as path:
        for backend in for_suffix(file.suffix):
            one = Contender(backend.name, backend.version())
            if not backend.installed():
                found.append(replace(one, refusal="not installed"))
                continue
            seen = probe(path, backend.name, BackendOptions())
            if seen.error is not None:
                found.append(replace(one, refusal=seen.error))
                continue
            answer = answer or seen.probabilities
            refusal = _wrong(file, backend.name, seen.probabilities, answer)
            found.append(Contender(one.name, one.version, refusal, seen.load_ms, seen.peak_mb))
    return tuple(found)


def _wrong(file: Artifact, name: str, ours: Sequence[float], first: Sequence[float]) -> str:
    if file.manifest is None or file.manifest.golden is None:
        difference = float(np.abs(np.subtract(ours, first)).max())
        if difference <= _TOLERANCE:
            return ""
        return f"its answer to a grey image is {difference:.2f} off that of the first engine"
    try:
        with open_silently(file, name) as classifier:
            report = replay(classifier)
    except EdgeError as error:
        return str(error)
    return "" if report.verdict == PASS else f"it fails the self-test: {report.reasons[0]}"
