"""``toolkit explain``: what each layer does, costs and sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import EXISTING, FOLDER, data_options, override_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runtime.modelfile.artifact import Artifact
    from toolkit.datasets import DataOptions
    from toolkit.explain import LayerRow, MapRow
    from toolkit.trained_model import Overrides, TrainedModel

_PICTURE = "feature_maps.png"


@click.command()
@click.argument("model", type=EXISTING, required=False)
@click.argument("image", type=EXISTING, required=False)
@click.option(
    "--against", type=EXISTING, help="The Keras model of a model file [default: its run]."
)
@click.option("--index", type=int, default=0, show_default=True, help="Without IMAGE: test image.")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for the feature maps as PNG [default: the run folder; of a bare .keras "
    "file the one you are in].",
)
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    image: Path | None,
    against: Path | None,
    index: int,
    out: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Explain the layers of MODEL and draw its feature maps of IMAGE.

    MODEL is a run folder or .keras file [default: the latest run], or an int8 .tflite file.
    Of a run, its int8 .tflite file is shown beside Keras, where it is exported.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.evaluation.evaluate import home
    from toolkit.explain import DRAWN, describe, draw, feature_maps
    from toolkit.inspection import view
    from toolkit.trained_model import locate

    file = _file(model, against)
    sealed = _read(file) if file else None
    _check(image, index)
    keras = (against or home(file)) if file else model
    trained = locate(keras, data, overrides).load(RichReporter(output))
    sealed = sealed or _int8_of(trained)
    pixels, rows = _pixels(trained, image, index), describe(trained.source)
    graph = view(sealed.data, ".tflite") if sealed else None
    maps = feature_maps(trained.source, trained.spec.apply(pixels[None]), graph)
    own = trained.stated is None  # a run has a place for it
    folder = out or (trained.source.path.parent if own else Path())
    sheet = folder / f"{trained.dataset.name}-{_PICTURE}"
    draw(pixels, maps, sheet, sealed.path.name if sealed else "")
    record = {
        "layers": [row.to_json() for row in rows],
        "parameters": sum(row.parameters for row in rows),
        "multiply_adds": trained.source.multiply_adds,
        "file": str(sealed.path) if sealed else None,
        "feature_maps": [row.to_json() for row in maps],
        "feature_maps_png": str(sheet),
    }
    output.data(record, _text(rows, maps))
    few = f" (the first {DRAWN} of {len(maps)} layers)" if len(maps) > DRAWN else ""
    output.say(f"Feature maps{few}: {sheet}")
    if not sealed:
        output.next("toolkit export --format tflite-int8")


def _file(model: Path | None, against: Path | None) -> Path | None:
    """Return the model if it is a .tflite file."""
    from runtime.errors import InputError

    suffix = "" if model is None else model.suffix
    if suffix == ".onnx":
        raise InputError(f"{model}: feature maps are read from .tflite files; name one, or a run")
    if against is not None and suffix != ".tflite":
        raise InputError("--against goes with a .tflite file")
    return model if suffix == ".tflite" else None


def _read(path: Path) -> Artifact:
    from runtime.modelfile import artifact as artifacts

    return artifacts.read(path)


def _check(image: Path | None, index: int) -> None:
    """Check the image before the model is loaded."""
    from runtime.errors import InputError
    from runtime.preprocessing.decode import decode

    if image is not None:
        decode(image)
    elif index < 0:
        raise InputError(f"--index must be at least 0, not {index}")


def _pixels(trained: TrainedModel, image: Path | None, index: int) -> NDArray[np.uint8]:
    from runtime.errors import InputError

    if image is not None:
        return trained.spec.from_file(image)
    images = trained.dataset.x_test
    if not 0 <= index < len(images):
        raise InputError(f"--index is 0…{len(images) - 1}, not {index}")
    picture: NDArray[np.uint8] = images[index]
    return picture


def _int8_of(trained: TrainedModel) -> Artifact | None:
    path = trained.exports / f"{trained.name}.int8.tflite"
    if trained.exports == Path() or not path.is_file():  # only a run has files of its own
        return None
    return _read(path)


def _text(rows: Sequence[LayerRow], maps: Sequence[MapRow]) -> str:
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render, wrap

    grid = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    grid.add_column("layer", overflow="fold", ratio=1)
    for heading in ("output", "parameters", "mult-adds", "float32", "int8", "sees"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        grid.add_row(row.name, *_cells(row))
    sums = [row.multiply_adds for row in rows]
    known = "?" if None in sums else f"{sum(s or 0 for s in sums):,}"
    totals = (sum(r.parameters for r in rows), sum(r.bytes_float32 for r in rows))
    grid.add_row("sum", "", f"{totals[0]:,}", known, f"{totals[1]:,}", _int8_sum(rows), "")
    kinds = {f"{row.kind}: {row.explanation}": None for row in rows}
    lines = [line for text in kinds for line in wrap(text)]
    differences = [
        f"{row.layer}: int8 differs by {row.max_difference:.3f} at most (values "
        f"{row.keras.min():.2f} to {row.keras.max():.2f})"
        for row in maps
        if row.max_difference is not None
    ]
    note = "Columns float32 and int8: bytes of the weights. Sees: pixels one value depends on."
    return "\n".join([render(grid), *wrap(note), "", *lines, "", *differences]).rstrip()


def _cells(row: LayerRow) -> list[str]:
    sees = "?" if row.receptive_field is None else "x".join(map(str, row.receptive_field))
    return [
        "x".join(map(str, row.output_shape)),
        f"{row.parameters:,}",
        "?" if row.multiply_adds is None else f"{row.multiply_adds:,}",
        f"{row.bytes_float32:,}",
        f"{row.bytes_int8:,}",
        sees,
    ]


def _int8_sum(rows: Sequence[LayerRow]) -> str:
    return f"{sum(row.bytes_int8 for row in rows):,}"
