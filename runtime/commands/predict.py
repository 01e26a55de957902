"""``runtime predict``: classify images with a model file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands._options import (
    EngineChoice,
    ModelChoice,
    engine_options,
    model_options,
    open_classifier,
)
from runtime.console import Output, output_options
from runtime.errors import EXIT_BAD_INPUT, EXIT_CHECK_FAILED, InputError

if TYPE_CHECKING:
    from runtime.classifier import Classifier
    from runtime.inputs import Source
    from runtime.prediction import Prediction

_NAME_WIDTH = 28
_BAR_WIDTH = 10
_LABEL_WIDTH = 14


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes.")
@click.option("--explain", is_flag=True, help="Show what preprocessing did to each image.")
@model_options
@engine_options
@output_options
def command(
    model: Path,
    images: tuple[str, ...],
    top: int,
    explain: bool,
    choice: ModelChoice,
    engine: EngineChoice,
    output: Output,
) -> None:
    """Classify IMAGES with a MODEL file (.tflite or .onnx).

    IMAGES are files (PNG, JPEG, BMP, WebP, TIFF, .npy), folders, quoted globs, or -
    for an image on standard input.
    """
    from runtime.inputs import expand

    with open_classifier(model, engine, choice, output) as classifier:
        for note in classifier.notes:
            output.say(f"Note: {note}")
        output.say(f"{model.name} on {classifier.backend.name} ({classifier.backend.place})")
        widest = min(max(map(len, classifier.labels)), _LABEL_WIDTH)
        where = {"backend": classifier.backend.name, "device": classifier.backend.device}
        printer = _Printer(output, top, explain, max(widest, len("label")), where)
        for source in expand(images):
            printer.show(source.name, _answer(classifier, source))
    printer.finish()


def _answer(classifier: Classifier, source: Source) -> Prediction | InputError:
    try:
        image = source.read()
        return classifier.predict(image)
    except InputError as error:
        return error


class _Printer:
    """Prints one line an image as it comes, and remembers failures."""

    def __init__(
        self, output: Output, top: int, explain: bool, width: int, where: dict[str, str]
    ) -> None:
        self._output, self._top, self._explain, self._width = output, top, explain, width
        self._where = where
        self._good = self._bad = 0

    def show(self, name: str, answer: Prediction | InputError) -> None:
        """Print one answer or one error."""
        if isinstance(answer, InputError):
            self._bad += 1
            self._show_error(name, answer)
            return
        if self._good == 0 and not self._output.as_json:
            click.echo(f"{'file':{_NAME_WIDTH}}  {'label':{self._width}}  confidence")
        self._good += 1
        if self._output.as_json:
            click.echo(json.dumps(self._record(name, answer), ensure_ascii=False))
            return
        click.echo(self._row(name, answer))
        if self._explain:
            for step in answer.steps:
                click.echo(f"    {step}")

    def finish(self) -> None:
        """End with the exit code that fits: 1 if some inputs were bad, 2 if all were."""
        if self._bad:
            raise click.exceptions.Exit(EXIT_CHECK_FAILED if self._good else EXIT_BAD_INPUT)

    def _record(self, name: str, answer: Prediction) -> dict[str, Any]:
        record = {"file": name, **answer.to_json(self._top), **self._where}
        return record | {"steps": list(answer.steps)} if self._explain else record

    def _row(self, name: str, answer: Prediction) -> str:
        bar = ("█" * round(answer.confidence * _BAR_WIDTH)).ljust(_BAR_WIDTH, "░")
        first, *others = answer.top(self._top)
        rest = "  ".join(f"{label} {value:.1%}" for label, value in others)
        row = f"{_shorten(name):{_NAME_WIDTH}}  {first[0]:{self._width}}  {bar} {first[1]:6.1%}"
        return f"{row}   {rest}".rstrip()

    def _show_error(self, name: str, error: InputError) -> None:
        if self._output.as_json:
            click.echo(json.dumps({"file": name, "error": str(error)}, ensure_ascii=False))
        else:
            text = str(error)
            click.echo(text if text.startswith(name) else f"{name}: {text}", err=True)


def _shorten(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else "…" + name[-(_NAME_WIDTH - 1) :]
