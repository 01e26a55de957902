"""``runtime bench``: how fast a model file is on this device."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.commands._options import DEVICE, ENGINE, gpu_options
from runtime.errors import InputError
from runtime.terminal.cli import Existing, Output, output_options
from runtime.terminal.progress import progress_bar

_PART = 4  # with --all each row takes the seconds divided by this


@click.command()
@click.argument("model", type=Existing())
@click.option("--backend", type=ENGINE, default="auto", show_default=True, help="Engine, or auto.")
@click.option("--device", type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or auto.")
@click.option("--threads", help="Like 1,2: the first for the latency [default: 1, then all cores].")
@gpu_options
@click.option("--batch", default="1,8,32", show_default=True, help="Images in one call.")
@click.option("--seconds", type=float, default=2.0, show_default=True, help="For each timing.")
@click.option("--image", type=Existing(), help="Preprocess this one.")
@click.option("--all", "every", is_flag=True, help="Rank all engines, threads and batches.")
@output_options
def command(
    model: Path,
    backend: str,
    device: str,
    threads: str | None,
    precision: str,
    providers: tuple[str, ...],
    batch: str,
    seconds: float,
    image: Path | None,
    every: bool,
    output: Output,
) -> None:
    """Measure how fast a MODEL file is on this device.

    Load time, first prediction and memory are those of fresh processes. Latency is that of
    one image, warm: from pixels of the model's size to scores, without decoding and fitting. A
    percentile is shown only with enough samples: 64 for p90, 662 for p99.

    With --all every installed engine runs the file in turns, with each number of threads
    and each batch, a quarter of --seconds each; to remember the fastest: runtime tune.
    """
    from runtime.backends import BackendOptions
    from runtime.benchmark.bench import BenchOptions, bench
    from runtime.commands._bench_text import text

    counts = parse_counts(threads, "--threads") if threads else ()
    if every:
        if (backend, device, image) != ("auto", "cpu", None):
            raise InputError(
                "--all ranks every engine on the CPU: leave out --backend, --device and --image"
            )
        _rank(model, counts, parse_counts(batch, "--batch"), seconds, output)
        return
    engine = BackendOptions(device, counts[0] if counts else 1, precision, providers)
    sizes = parse_counts(batch, "--batch")
    options = BenchOptions(backend, engine, counts, sizes, seconds, image)
    with progress_bar(output, "measuring", options.expected_seconds):
        found = bench(model, options)
    output.data(found.to_json(), text(found))


def _rank(
    model: Path, threads: tuple[int, ...], batches: tuple[int, ...], seconds: float, output: Output
) -> None:
    from runtime.benchmark.ranking import RankOptions, rank
    from runtime.commands._ranking_text import text

    options = RankOptions(threads, batches, seconds / _PART)
    with progress_bar(output, "measuring", options.expected_seconds(model)):
        found = rank(model, options)
    output.data(found.to_json(), text(found))
    output.next(f"runtime tune {model}")


def parse_counts(text: str, option: str) -> tuple[int, ...]:
    """Read numbers from 1 up, separated by commas.

    Raises:
        InputError: there is none, or one is no such number.

    Example:
        >>> parse_counts("1,8,32", "--batch")
        (1, 8, 32)
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InputError(f"{option} takes numbers from 1 up, like 1,8,32, not '{text}'")
    return tuple(int(part) for part in parts)
