"""``runtime predict``: classify images with a model file."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.commands._options import (
    EngineChoice,
    ModelChoice,
    engine_options,
    model_options,
    open_classifier,
)
from runtime.commands._predictions import Printer, label_width
from runtime.errors import InputError
from runtime.terminal.cli import Existing, Output, output_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact
    from runtime.preprocessing.inputs import Inputs
    from runtime.tasks.classification import Prediction

_MOST = 100_000  # images: counted up to here, where loading no longer matters


@click.command()
@click.argument("model", type=Existing())
@click.argument("images", type=click.Path(), nargs=-1)
@click.option("--watch", "folder", type=Existing(), help="Predict new images in a folder.")
@click.option("--existing", is_flag=True, help="With --watch: also those already there.")
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="Classes.")
@click.option("--explain", is_flag=True, help="Show what preprocessing did to each image.")
@model_options
@engine_options
@output_options
def command(
    model: Path,
    images: tuple[str, ...],
    folder: Path | None,
    existing: bool,
    top: int,
    explain: bool,
    choice: ModelChoice,
    engine: EngineChoice,
    output: Output,
) -> None:
    """Classify IMAGES with a MODEL file (.tflite or .onnx).

    IMAGES are files (PNG, JPEG, BMP, WebP, TIFF, .npy), folders, quoted globs, or -
    for an image on standard input. Many images are predicted on all cores, and
    --backend auto takes the fastest engine for so many, loading included.

    With --watch the model stays loaded, and each image that appears or changes in the
    folder prints one line, until Ctrl-C or a TERM signal.
    """
    from runtime.modelfile import artifact as artifacts
    from runtime.preprocessing.inputs import Inputs

    _require(images, folder, existing=existing)
    artifact, sources = artifacts.read(model), Inputs(images)
    if not folder:
        engine = _with_preferred_engine(artifact, sources, engine)
    with open_classifier(artifact, engine, choice, output) as classifier:
        for note in (*classifier.notes, *_unused(images, choice)):
            output.say(f"Note: {note}")
        output.say(f"{model.name} on {classifier.backend.name} ({classifier.backend.place})")
        where = {"backend": classifier.backend.name, "device": classifier.backend.device}
        printer = Printer(output, top, explain, label_width(classifier.labels), where)
        if folder:
            _watch(classifier, folder, existing, printer, output)
        else:
            pairs = ((source.name, source.image) for source in sources)
            printer.show_all(classifier.predict_pairs(pairs, engine.workers()))
    printer.finish()


def _require(images: tuple[str, ...], folder: Path | None, *, existing: bool) -> None:
    if images and folder:
        raise click.UsageError("IMAGES and --watch DIR do not go together")
    if not images and not folder:
        raise click.UsageError("name IMAGES, or a folder: --watch DIR")
    if existing and not folder:
        raise click.UsageError("--existing goes with --watch DIR")
    if folder and not folder.is_dir():
        raise InputError(f"--watch takes a folder, and {folder} is none")


def _with_preferred_engine(
    artifact: Artifact, inputs: Inputs, engine: EngineChoice
) -> EngineChoice:
    """Return the engine that ``runtime tune`` found to be the best for the images of a worker."""
    from runtime.workers.opening import preferred_backend

    def share() -> int:
        return -(-inputs.count(_MOST) // engine.workers())

    name = preferred_backend(artifact, engine.backend, engine.options(), share)
    return replace(engine, backend=name)


def _unused(images: tuple[str, ...], choice: ModelChoice) -> Iterator[str]:
    """Yield a note on options without effect."""
    requested = [name for name in ("fit", "polarity") if getattr(choice, name) is not None]
    if requested and any(name.lower().endswith(".npy") for name in images):
        yield (
            f"--{' and --'.join(requested)}: arrays of the model's size are taken as they are, "
            "others are fitted"
        )


def _watch(
    classifier: Classifier, folder: Path, existing: bool, printer: Printer, output: Output
) -> None:
    from runtime.commands._watch import WatchOptions, watch

    def predict(path: Path) -> Prediction | InputError:
        try:
            return classifier.predict(path)
        except InputError as error:
            return error

    with _ended_by_term():
        found = watch(folder, predict, WatchOptions(existing))
        output.say(f"watching {folder}; Ctrl-C ends it")
        printer.show_all([(str(path), prediction)] for path, prediction in found)


@contextmanager
def _ended_by_term() -> Iterator[None]:
    """End the program with exit code 0 on a TERM signal, which stops a service."""

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
