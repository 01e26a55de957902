"""The scenarios of MLPerf Inference, as far as one program on one machine can run them.

Source: github.com/mlcommons/inference_policies, inference_rules.adoc, "Scenarios": single
stream sends a query of one sample when the previous one is done and reports the 90th
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
    """Query and metric of a scenario.

    Attributes:
        name: that of MLPerf.
        samples: images per query; None leaves that to the user.
        metric: the reported metric.
        needed: smallest number of queries for this metric.

    Example:
        >>> find("single-stream").metric
        'p90_ms'
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
class ScenarioResult:
    """Result of a scenario.

    Attributes:
        scenario: the scenario.
        samples: images per query.
        latency: of its queries.
        images_per_second: over the whole time.
        value: of the metric; None with too few queries.
        note: what to do if there is none.

    Example:
        >>> result = evaluate(find("offline"), 32, ((4_000_000,) * 10,))
        >>> result.to_json()["queries"]
        10
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

    Example:
        >>> find("multi-stream").samples
        8
    """
    if name not in KNOWN:
        raise UnknownNameError("scenario", name, KNOWN)
    return KNOWN[name]


def evaluate(scenario: Scenario, samples: int, turns: Turns) -> ScenarioResult:
    """Return the result of a scenario from the durations of its queries.

    Args:
        scenario: the scenario.
        samples: images per query.
        turns: the durations of the queries in nanoseconds, turn by turn.

    Example:
        >>> evaluate(find("offline"), 32, ((4_000_000,) * 10,)).value
        8000.0
    """
    latency = summary(turns)
    rate = samples * 1000 / latency.mean_ms
    value = {
        "p90_ms": latency.p90_ms,
        "p99_ms": latency.p99_ms,
        "images_per_second": rate,
    }[scenario.metric]
    note = None if value is not None else _too_few(scenario, latency)
    return ScenarioResult(scenario, samples, latency, rate, value, note)


def _too_few(scenario: Scenario, latency: Latency) -> str:
    seconds = math.ceil(1.2 * scenario.needed * latency.mean_ms / 1000)
    return (
        f"{scenario.name} needs {scenario.needed} queries for its {scenario.metric[:3]}, "
        f"{latency.samples} were done: --seconds {seconds}"
    )
