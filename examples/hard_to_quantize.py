"""What int8 costs: plain files, why they fail, and those with searched settings, side by side.

    toolkit train --architecture mobilenet-small --dataset fashion-mnist
    python examples/hard_to_quantize.py runs/latest
    python examples/hard_to_quantize.py runs/latest --spread 64

--spread rescales the channels between blocks by up to that factor, up in one layer and down
in the next, so that the float network predicts as before. A network that was trained badly can
look like that; Nagel et al. (arXiv:1906.04721) found it to be what breaks MobileNetV2 in int8,
and equalized it. Here it is added on purpose.

Writes the files into a folder (--out) and prints a table in Markdown. The model may also be
a .keras file; name its data then: --dataset fashion-mnist.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from exporters.keras_model.source import load_keras
from exporters.quantization_options import QuantizationOptions
from runtime.errors import EdgeError
from toolkit.datasets import DataOptions
from toolkit.diagnosis.file import DiagnoseOptions, diagnose_file
from toolkit.export.export import export
from toolkit.export.request import ExportOptions
from toolkit.parity.verify import VerifyOptions, verify
from toolkit.quantization_search.search import SearchOptions, export_within
from toolkit.trained_model import TrainedModel, resolve

FORMAT = "tflite-int8"
# In mobilenet-small: layers whose outputs are added up, and those that read the sum.
STAGES = (
    (("block2_project", "block3_project"), ("block3_expand", "block4_expand")),
    (
        ("block4_project", "block5_project", "block6_project"),
        ("block5_expand", "block6_expand", "head"),
    ),
)
HEAD = "| file | bytes | accuracy | change | other label | gate | worst layer |"
RULE = "|---|---|---|---|---|---|---|"


class Printer:
    """Prints the remarks of the toolkit, without progress bars."""

    def say(self, text: str) -> None:
        """Print a remark on stderr."""
        print(text, file=sys.stderr)

    def task(self, title: str, total: int) -> Printer:
        """Open nothing."""
        del title, total
        return self

    def __enter__(self) -> object:
        """Return a tick that does nothing."""
        return lambda _steps: None

    def __exit__(self, *error: object) -> None:
        """Close nothing."""


def main() -> None:
    """Export four files, verify and diagnose each, print the table."""
    arguments = parse()
    data = DataOptions(arguments.dataset, arguments.data)
    trained = resolve(arguments.model, data, reporter=Printer())
    if arguments.spread > 1:
        trained = rescaled(trained, arguments.spread, arguments.out)
    files = {
        "plain, per tensor": ExportOptions(
            (FORMAT,), arguments.out / "per-tensor", quantization=per_tensor(), force=True
        ),
        "plain, per channel": ExportOptions((FORMAT,), arguments.out / "per-channel", force=True),
        f"per tensor, --max-drop {arguments.max_drop:g}": ExportOptions(
            (FORMAT,),
            arguments.out / "per-tensor-searched",
            quantization=per_tensor(),
        ),
        f"per channel, --max-drop {arguments.max_drop:g}": ExportOptions(
            (FORMAT,), arguments.out / "per-channel-searched"
        ),
    }
    rows = [row(title, trained, options, arguments) for title, options in files.items()]
    print("\n".join([HEAD, RULE, *rows]))


def rescaled(trained: TrainedModel, spread: float, folder: Path) -> TrainedModel:
    """Return the same function with channels between blocks scaled by 1…spread."""
    model = load_keras(trained.source.path).model
    for writers, readers in STAGES:
        channels = model.get_layer(f"{writers[0]}_bn").gamma.shape[0]
        factor = np.geomspace(1, spread, channels)
        for name in writers:
            norm = model.get_layer(f"{name}_bn")
            norm.gamma.assign(norm.gamma * factor)
            norm.beta.assign(norm.beta * factor)
        for name in readers:
            kernel = model.get_layer(name).kernel
            kernel.assign(kernel / factor[:, None])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rescaled.keras"
    model.save(path)
    return replace(trained, source=load_keras(path))


def per_tensor() -> QuantizationOptions:
    """Return options with one scale per tensor, as old converters used."""
    return QuantizationOptions(per_channel=False)


def row(
    title: str, trained: TrainedModel, options: ExportOptions, arguments: argparse.Namespace
) -> str:
    """Export one file, compare it on the test images, diagnose it on training images."""
    try:
        if options.force:
            (made,) = export(trained, options, Printer())
        else:
            (made,) = export_within(trained, SearchOptions(options, arguments.max_drop), Printer())
        artifact = made.artifact
    except EdgeError as error:
        print(error, file=sys.stderr)
        return f"| {title} | | | | | not written | |"
    (entry,) = verify(trained, VerifyOptions((artifact.path,), limit=arguments.limit)).artifacts
    found = diagnose_file(trained, artifact.path, DiagnoseOptions()).found.worst
    numbers = entry.metrics
    if numbers is None:
        return f"| {title} | {len(artifact.data):,} | | | | {entry.verdict} | |"
    print(entry.sentence, *entry.reasons, sep="\n  ", file=sys.stderr)
    return (
        f"| {title} | {len(artifact.data):,} | {numbers.accuracy:.2%} "
        f"| {100 * numbers.accuracy_delta:+.2f} "
        f"| {len(numbers.flips):,} of {numbers.images:,} | {entry.verdict} "
        f"| {found.name}, {found.own_sqnr:.0f} dB {found.remark} |"
    )


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", help="run folder or .keras file")
    parser.add_argument("--dataset", help="of a .keras file")
    parser.add_argument("--data", type=Path, help="where the data is")
    parser.add_argument("--max-drop", type=float, default=0.5, help="points of accuracy")
    parser.add_argument(
        "--spread", type=float, default=1.0, help="of the channels; 1 changes nothing"
    )
    parser.add_argument("--limit", type=int, help="test images")
    parser.add_argument("--out", type=Path, default=Path("hard-to-quantize"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
