"""How fast each engine runs the shipped files here, and what a look for the fastest costs.

By hand: ``python tests/benchmarks/engines.py``. All engines of a file are timed in turns by
``runtime bench --all``; the ratio is to the preferred engine in the same run, and below 1 is
faster.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from runtime.backends import preferred
from runtime.benchmark import measure_interleaved
from runtime.benchmark.ranking import RankOptions, rank
from runtime.modelfile import artifact as artifacts
from runtime.workers.opening import tuned_for

MODELS = Path(__file__).parents[2] / "examples" / "models"


def compare(path, options):
    """Return, for one file, the fastest of each engine on one thread."""
    found = rank(path, options)
    rows = [row for row in found.rows if row.threads == 1]
    engines = []
    for one in (engine for engine in found.engines if not engine.refusal):
        own = [row for row in rows if row.backend == one.name]
        single = next(row for row in own if row.batch == 1)
        engines.append(
            {
                "engine": f"{one.name} {one.version}",
                "one_ms": single.image_ms,
                "many_ms": own[0].image_ms,
                "batch": own[0].batch,
                "load_ms": one.load_ms,
                "peak_mb": one.peak_rss_mb,
            }
        )
    for one in engines:
        one["one_ratio"] = one["one_ms"] / engines[0]["one_ms"]
        one["many_ratio"] = one["many_ms"] / engines[0]["many_ms"]
    record = {"file": path.name, "cpu": found.machine.cpu, "engines": engines}
    return record, found


def lookup(found):
    """Return what ``--backend auto`` pays for its look into the cache: fastest call, warm, ms."""
    file = found.file
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        (empty,) = measure_interleaved((lambda: tuned_for(file),), 0.2)
        preferred.save(found.to_tuned())
        digest, record = measure_interleaved((lambda: file.sha256, lambda: tuned_for(file)), 0.2)
    return {
        "nothing_remembered": empty.min_ms,
        "remembered": record.min_ms,
        "of_which_sha256": digest.min_ms,
        "bytes": len(file.data),
    }


def main(arguments=None):
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="One file, a few calls.")
    given = parser.parse_args(arguments)
    every = sorted(path for path in MODELS.iterdir() if path.suffix in (".onnx", ".tflite"))
    paths = given.files or (every[-2:-1] if given.quick else every)
    batches, seconds = ((1, 4), 0.02) if given.quick else ((1, 8, 64), 1.0)
    records = []
    for path in paths:
        record, found = compare(path, RankOptions((1,), batches, seconds))
        records.append(record)
    result = {
        "load_average": os.getloadavg()[0],
        "files": records,
        "lookup_ms": lookup(found) | {"file": artifacts.read(paths[-1]).path.name},
    }
    sys.stdout.write(json.dumps(result) + "\n" if given.json else table(result))


def table(result):
    """Return the figures as text."""
    head = (
        f"{'file':28}{'engine':22}{'1 image':>9}{'ratio':>7}{'many':>9}{'batch':>6}{'ratio':>7}"
        f"{'load ms':>9}{'MB':>5}"
    )
    lines = [f"one thread, ms an image; load average {result['load_average']:.1f}", head]
    lines += [row(record["file"], one) for record in result["files"] for one in record["engines"]]
    look = result["lookup_ms"]
    lines.append(
        f"a look for the fastest engine: {look['nothing_remembered']:.3f} ms with nothing "
        f"remembered, {look['remembered']:.3f} ms with a record, of which "
        f"{look['of_which_sha256']:.3f} ms are the SHA-256 of {look['bytes']:,} bytes"
    )
    return "\n".join(lines) + "\n"


def row(file, one):
    """Return the figures of one engine with one file."""
    return (
        f"{file:28}{one['engine']:22}{one['one_ms']:>9.4f}{one['one_ratio']:>7.2f}"
        f"{one['many_ms']:>9.4f}{one['batch']:>6}{one['many_ratio']:>7.2f}"
        f"{one['load_ms']:>9.0f}{one['peak_mb']:>5.0f}"
    )


if __name__ == "__main__":
    main()
