"""Service of :mod:`toolkit.benchmarking.peak`: one engine at full speed, one thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import Backend, BackendOptions, registry
from runtime.benchmark.latency import repeat
from runtime.errors import EdgeError
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.artifact import Artifact
from runtime.workers.opening import open_backend
from toolkit.benchmarking.peak_networks import BUILDERS, FLOAT32, INT8, Chain

if TYPE_CHECKING:
    from runtime.workers.process import Channel

# Which of the two is faster depends on engine, kind and processor: the better one counts.
CHAINS = tuple(
    Chain(kind, layers, kernel) for kind in (FLOAT32, INT8) for layers, kernel in ((8, 1), (2, 3))
)
_SECONDS = 0.15  # of each chain


def serve(channel: Channel) -> None:
    """Receive the name of an engine, and reply once with its :func:`rates`.

    Example::

        with WorkerProcess("toolkit.benchmarking.peak_service", ...) as process:
            process.send("litert")
            found = process.receive()
    """
    channel.send(rates(channel.receive()))


def rates(backend: str) -> dict[str, Any]:
    """Return the multiply-adds per second of one engine.

    Args:
        backend: its name.

    Returns:
        ``rates``: by kind of arithmetic, in multiply-adds per second; or ``error``.

    Example::

        rates("litert")  # {"rates": {"float32": 5.7e10, "int8": 2.2e11}}
    """
    found: dict[str, float] = {}
    try:
        for chain in CHAINS:
            with open_chain(chain, backend) as engine:
                found[chain.kind] = max(found.get(chain.kind, 0.0), _rate(chain, engine))
    except EdgeError as error:
        return {"rates": found, "error": str(error)}
    return {"rates": found}


def open_chain(chain: Chain, backend: str) -> Backend:
    """Open a chain in an engine, with one thread.

    Raises:
        BackendError: the engine is broken or refuses it.
        MissingDependencyError: it is not installed.

    Example::

        with open_chain(CHAINS[0], "litert") as engine:
            print(engine.image_shape)
    """
    suffix = next(s for s in registry()[backend].suffixes if s in BUILDERS)
    file = Artifact(Path(f"chain{suffix}"), BUILDERS[suffix](chain), None, artifacts.UNSEALED)
    return open_backend(file, backend, BackendOptions())


def _rate(chain: Chain, engine: Backend) -> float:
    pixels = np.random.default_rng(0).integers(0, 100, (1, *engine.image_shape))
    batch = pixels.astype(np.float32)
    fastest = min(repeat(lambda: engine.run(batch), _SECONDS))
    return chain.multiply_adds / fastest * 1e9
