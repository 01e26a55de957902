"""Options shared by several commands of ``runtime``, and opening of a model file with them."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.terminal.cli import Names

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends import BackendOptions
    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact
    from runtime.preprocessing.spec import PreprocessSpec
    from runtime.session import LoadOptions
    from runtime.terminal.cli import Output


_THREADS_HELP = (
    "One image: threads of its inference [default: 1]. "
    "Many: parallel processes with one thread each [default: all cores]."
)


def _engines() -> tuple[str, ...]:
    from runtime.backends import AUTO, registry

    return (AUTO, *registry())


def _fits() -> tuple[str, ...]:
    from runtime.preprocessing.fits import fits

    return tuple(fits())


def constant(module: str, name: str) -> Names:
    """Return a type that completes the names in a constant; its module is imported only then.

    Example::

        DEVICE = constant("runtime.backends.options", "DEVICES")
    """
    return Names(lambda: getattr(importlib.import_module(module), name))


ENGINE = Names(_engines)
DEVICE = constant("runtime.backends.options", "DEVICES")
FIT = Names(_fits)
POLARITY = constant("runtime.preprocessing.fits", "POLARITIES")
_PRECISION = constant("runtime.backends.options", "PRECISIONS")
_PROVIDER = constant("runtime.backends.providers", "BY_NAME")


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine that runs the file, and its options: see :class:`BackendOptions`.

    Attributes:
        backend: name of the engine, or ``auto``.
        device: ``cpu``, ``gpu`` or ``auto``.
        threads: threads of one inference; for many images, number of processes with one
            thread each. None means one thread, and one process per core.
        precision: precision on a GPU.
        providers: providers on a GPU.

    Example:
        >>> EngineChoice("litert", threads=4).options().threads
        4
    """

    backend: str = "auto"
    device: str = "cpu"
    threads: int | None = None
    precision: str = "float32"
    providers: tuple[str, ...] = ()

    def options(self) -> BackendOptions:
        """Return the options of the engine, validated.

        Raises:
            EdgeError: see :class:`BackendOptions`.
        """
        from runtime.backends import BackendOptions

        threads = 1 if self.threads is None else self.threads
        return BackendOptions(self.device, threads, self.precision, self.providers)

    def workers(self) -> int:
        """Return the number of parallel workers for many images."""
        from runtime.processor import usable_cores

        return usable_cores() if self.threads is None else self.threads


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Labels and preprocessing to use instead of those in the file.

    Attributes:
        labels: a comma-separated list, or a text file with one label per line.
        fit: see :class:`PreprocessSpec`.
        polarity: see :class:`PreprocessSpec`.
        scale: see :class:`PreprocessSpec`.
        mean: comma-separated numbers.
        std: comma-separated numbers.

    Example:
        >>> load_options(ModelChoice(labels="cat,dog")).labels
        ('cat', 'dog')
    """

    labels: str | None = None
    fit: str | None = None
    polarity: str | None = None
    scale: float | None = None
    mean: str | None = None
    std: str | None = None

    def __post_init__(self) -> None:
        """Check what does not depend on the file.

        Raises:
            InputError: a field is out of its range, or no number.
        """
        if changes := self.changes():
            from runtime.preprocessing.spec import PreprocessSpec

            PreprocessSpec.check_changes(**changes)

    def changes(self) -> dict[str, Any]:
        """Return the fields of a :class:`PreprocessSpec` that are to be replaced.

        Raises:
            InputError: a text holds no numbers.
        """
        changes: dict[str, Any] = {
            "fit": self.fit,
            "polarity": self.polarity,
            "scale": self.scale,
            "mean": parse_numbers(self.mean, "--mean"),
            "std": parse_numbers(self.std, "--std"),
        }
        return {name: value for name, value in changes.items() if value is not None}


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add engine, device, threads and the options for GPUs as one ``engine`` argument.

    Example::

        @click.command()
        @engine_options
        def command(engine: EngineChoice) -> None: ...
    """

    @click.option(
        "--backend", type=ENGINE, default="auto", show_default=True, help="Engine, or auto."
    )
    @click.option(
        "--device", type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or auto."
    )
    @click.option("--threads", type=int, help=_THREADS_HELP)
    @gpu_options
    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        names = ("backend", "device", "threads", "precision", "providers")
        engine = EngineChoice(**{name: kwargs.pop(name) for name in names})
        return command(*args, engine=engine, **kwargs)

    return wrapper


def gpu_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--precision`` and ``--provider`` (as ``providers``), for GPUs.

    Example::

        @click.command()
        @gpu_options
        def command(precision: str, providers: tuple[str, ...]) -> None: ...
    """
    precision = click.option(
        "--precision",
        type=_PRECISION,
        default="float32",
        show_default=True,
        help="On a GPU; or float16.",
    )
    provider = click.option(
        "--provider",
        "providers",
        type=_PROVIDER,
        multiple=True,
        help="Of onnxruntime on a GPU, like cuda.",
    )
    return precision(provider(command))


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add labels and preprocessing as one ``choice`` argument.

    Example::

        @click.command()
        @model_options
        def command(choice: ModelChoice) -> None: ...
    """

    @click.option("--labels", help="Class names: a,b,c or a file with one per line.")
    @click.option("--fit", type=FIT, help="stretch, pad or center-of-mass.")
    @click.option("--polarity", type=POLARITY, help="as-is, invert or auto.")
    @click.option("--scale", type=float, help="Factor on pixels 0…255, for example 0.00392157.")
    @click.option("--mean", help="Subtracted after scaling: one number or one per channel.")
    @click.option("--std", help="Divided by after that: one number or one per channel.")
    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        names = ("labels", "fit", "polarity", "scale", "mean", "std")
        choice = ModelChoice(**{name: kwargs.pop(name) for name in names})
        return command(*args, choice=choice, **kwargs)

    return wrapper


def open_classifier(
    artifact: Artifact,
    engine: EngineChoice,
    choice: ModelChoice,
    output: Output | None = None,
) -> Classifier:
    """Open a model file with the options of a command; output of the engine is suppressed.

    Args:
        artifact: the model file.
        engine: the engine and its options.
        choice: labels and preprocessing to use instead of those in the file.
        output: gets a warning if ``--device auto`` falls back to the CPU.

    Raises:
        EdgeError: see :func:`runtime.load`.

    Example::

        with open_classifier(artifacts.read(model), engine, choice, output) as classifier:
            prediction = classifier.predict("seven.png")
    """
    from runtime.model import open_silently

    options = load_options(choice)
    classifier = open_silently(artifact, engine.backend, engine.options(), options)
    if output is not None and classifier.backend.fallback:
        output.say(f"Warning: on the CPU, not on a GPU: {classifier.backend.fallback}")
    return classifier


def load_options(choice: ModelChoice) -> LoadOptions:
    """Parse the options for labels and preprocessing.

    Example:
        >>> load_options(ModelChoice(labels="cat,dog")).labels
        ('cat', 'dog')
    """
    from runtime.session import LoadOptions

    labels = parse_labels(choice.labels) if choice.labels else None
    return LoadOptions(labels, functools.partial(override_spec, choice=choice))


def override_spec(spec: PreprocessSpec, choice: ModelChoice) -> PreprocessSpec:
    """Return a spec with the values of the options in place of its own.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> override_spec(PreprocessSpec.assumed((28, 28, 1)), ModelChoice(mean="0.5")).mean
        (0.5,)
    """
    return replace(spec, **choice.changes())


def parse_labels(text: str) -> tuple[str, ...]:
    """Read ``a,b,c``, or a text file with one label per line.

    Raises:
        InputError: the file cannot be read, there is no label, or one occurs twice.

    Example:
        >>> parse_labels("cat,dog")
        ('cat', 'dog')
    """
    from runtime.errors import InputError

    parts = text.split(",")
    if len(parts) == 1:
        try:
            parts = Path(text).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"--labels takes a,b,c or a text file; {text}: {error}") from error
    labels = tuple(part.strip() for part in parts if part.strip())
    if not labels:
        raise InputError("--labels holds no label")
    if twice := next((one for one in labels if labels.count(one) > 1), None):
        raise InputError(f"--labels names '{twice}' twice")
    return labels


def parse_numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    """Read comma-separated numbers.

    Raises:
        InputError: one is not a number.

    Example:
        >>> parse_numbers("0.485,0.456,0.406", "--mean")
        (0.485, 0.456, 0.406)
    """
    from runtime.errors import InputError

    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} takes one number or one per channel, not '{text}'") from error
