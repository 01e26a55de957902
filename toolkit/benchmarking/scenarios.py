"""The scenarios of MLPerf Inference, as far as one program on one machine can play them.

Source: github.com/mlcommons/inference_policies, inference_rules.adoc, "Scenarios": single
stream sends a query of one sample when the one before is done and reports the 90th
percentile; multi-stream the same with eight samples and the 99th; offline sends all samples
at once and reports the throughput.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.benchmark import summary
from runtime.benchmark.latency import P90_SAMPLES, P99_SAMPLES
from runtime.errors import UnknownNameError

if TYPE_CHECKING:
    from runtime.benchmark import Latency, Turns

DEPARTURES = (
    "MLPerf runs 600 s (offline at least 24,576 samples); here --seconds decide",
    "MLPerf estimates a percentile of few queries higher (early stopping); here it is as found",
    "files take turns, and the first query of a turn is not counted",
    "no accuracy run; the samples are one image, repeated; not an MLPerf result",
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is asked of the model, and what is reported.

    Attributes:
        name: as MLPerf calls it.
        samples: images of one query; None leaves that to the user.
        metric: what the one number of the result is.
        needed: queries below which there is no such number.
    """

    name: str
    samples: int | None
    metric: str
    needed: int


KNOWN = {
    one.name: one
    for one in (
        Scenario("single-stream", 1, "p90_ms", P90_SAMPLES),
        Scenario("multi-stream", 8, "p99_ms", P99_SAMPLES),
        Scenario("offline", None, "images_per_second", 1),
    )
}


@dataclass(frozen=True, slots=True)
class Played:
    """What a scenario gave.

    Attributes:
        scenario: which one.
        samples: images of one query.
        latency: of its queries.
        images_per_second: over the whole time.
        value: the number that the scenario reports; None with too few queries.
        note: what to do where there is none.
    """

    scenario: Scenario
    samples: int
    latency: Latency
    images_per_second: float
    value: float | None
    note: str | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.scenario.name,
            "samples_per_query": self.samples,
            "queries": self.latency.samples,
            "metric": self.scenario.metric,
            "value": None if self.value is None else round(self.value, 4),
            "departs_from_mlperf": list(DEPARTURES),
        }


def find(name: str) -> Scenario:
    """Return a scenario by its name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in KNOWN:
        raise UnknownNameError("scenario", name, KNOWN)
    return KNOWN[name]


def played(scenario: Scenario, samples: int, turns: Turns) -> Played:
    """Return what queries, sent one after the other, come to.

    Args:
        scenario: which one.
        samples: images of one query.
        turns: the durations of the queries in nanoseconds, turn by turn.
    """
    latency = summary(turns)
    rate = samples * 1000 / latency.mean_ms
    value = {
        "p90_ms": latency.p90_ms,
        "p99_ms": latency.p99_ms,
        "images_per_second": rate,
    }[scenario.metric]
    note = None if value is not None else _too_few(scenario, latency)
    return Played(scenario, samples, latency, rate, value, note)


def _too_few(scenario: Scenario, latency: Latency) -> str:
    seconds = math.ceil(1.2 * scenario.needed * latency.mean_ms / 1000)
    return (
        f"{scenario.name} needs {scenario.needed} queries for its {scenario.metric[:3]}, "
        f"{latency.samples} were done: --seconds {seconds}"
    )
