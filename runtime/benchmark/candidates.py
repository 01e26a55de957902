"""Candidate engines for a model file: those that run it and predict correctly."""

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
class Candidate:
    """An engine for a file.

    Attributes:
        name: of the backend.
        version: of the engine; None if it is not installed.
        refusal: why it is excluded; empty if it is not.
        load_ms: import of the engine and opening of the file, in a fresh process.
        peak_rss_mb: the highest resident memory of that process, in MB (1,000,000 bytes).

    Example:
        >>> Candidate("openvino", None, refusal="not installed").load_ms is None
        True
    """

    name: str
    version: str | None
    refusal: str = ""
    load_ms: float | None = None
    peak_rss_mb: float | None = None


def find_candidates(file: Artifact) -> tuple[Candidate, ...]:
    """Try a file in all engines, each in a process of its own, which a bad one may end.

    An engine is accepted if it passes the self-test in the file; if there is none, if its
    output for a grey image is near that of the first engine that runs it.

    Args:
        file: the model file.

    Example::

        for one in find_candidates(artifacts.read(Path("mnist-cnn.int8.tflite"))):
            print(one.name, one.version, one.refusal or "accepted")
    """
    found: list[Candidate] = []
    first: Sequence[float] = ()
    with on_disk(file) as path:
        for backend in for_suffix(file.suffix):
            one = Candidate(backend.name, backend.version())
            if not backend.installed():
                found.append(replace(one, refusal="not installed"))
                continue
            probed = probe(path, backend.name, BackendOptions())
            if probed.error is not None:
                found.append(replace(one, refusal=probed.error))
                continue
            first = first or probed.probabilities
            refusal = _wrong(file, backend.name, probed.probabilities, first)
            found.append(
                replace(one, refusal=refusal, load_ms=probed.load_ms, peak_rss_mb=probed.peak_mb)
            )
    return tuple(found)


def _wrong(file: Artifact, name: str, ours: Sequence[float], first: Sequence[float]) -> str:
    """Return why the predictions of an engine are wrong; empty if they are not."""
    if file.manifest is None or file.manifest.golden is None:
        difference = float(np.abs(np.subtract(ours, first)).max())
        if difference <= _TOLERANCE:
            return ""
        return f"its output for a grey image differs by {difference:.2f} from the first engine's"
    try:
        with open_silently(file, name) as classifier:
            report = replay(classifier)
    except EdgeError as error:
        return str(error)
    return "" if report.verdict == PASS else f"it fails the self-test: {report.reasons[0]}"
