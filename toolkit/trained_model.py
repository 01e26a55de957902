"""A trained model: a Keras model with its data, labels and preprocessing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.graphs import FloatGraphs
from exporters.keras_model.source import KerasSource, load_keras, require_keras_file
from exporters.keras_model.tensorflow_setup import require_tensorflow
from exporters.request import require_name
from runtime.errors import DataError, InputError, UnknownNameError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets import DataOptions, Dataset, check_data, load_dataset
from toolkit.datasets.base import arguments
from toolkit.datasets.splits import train_validation
from toolkit.progress import SILENT, Reporter
from toolkit.runs import run as runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.modelfile.artifact import Artifact


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of a user's own model; None keeps the value of its data.

    Attributes:
        name: of the model and its artifacts.
        labels: the class names.
        scale: see :class:`PreprocessSpec`.
        mean: see :class:`PreprocessSpec`.
        std: see :class:`PreprocessSpec`.

    Example:
        >>> Overrides(labels=("cat", "dog"), scale=1.0).as_arguments()
        ('--labels cat,dog', '--scale 1.0')
    """

    name: str | None = None
    labels: tuple[str, ...] | None = None
    scale: float | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check what does not depend on the model.

        Raises:
            InputError: a number is out of its range, or the name cannot be that of a file.
        """
        PreprocessSpec.check_changes(**self._changes())
        if self.name is not None:
            require_name(self.name)

    def spec(self, spec: PreprocessSpec) -> PreprocessSpec:
        """Return a spec with these values instead of its own."""
        return replace(
            spec,
            **{name: value for name, value in self._changes().items() if value is not None},
        )

    def _changes(self) -> dict[str, Any]:
        return {"scale": self.scale, "mean": self.mean, "std": self.std}

    def as_arguments(self) -> tuple[str, ...]:
        """Return the equivalent command-line options, quoted."""
        return arguments({one.name: getattr(self, one.name) for one in fields(self)})


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A loaded Keras model and everything that belongs to it.

    Attributes:
        source: the model.
        name: of the model and its artifacts.
        labels: the class names.
        spec: the preprocessing.
        dataset: training and test images.
        training: int64, indices of the training images that were neither validation
            images nor left out: those that calibration may use.
        exports: the folder of artifacts.
        stated: the user's options for a bare ``.keras`` file; None for a run, or a file
            beside its ``config.json``, which have a record of their own.
        lineage: record of the teacher by ``toolkit compress``; empty if it was not distilled.
        data: options that load the dataset again, in the size of the model.

    Example::

        trained = resolve(Path("runs/latest"), DataOptions())
        scores = trained.source.predict(trained.spec.apply(trained.dataset.x_test))
    """

    source: KerasSource
    name: str
    labels: tuple[str, ...]
    spec: PreprocessSpec
    dataset: Dataset
    training: NDArray[np.int64]
    exports: Path
    stated: Overrides | None = None
    lineage: dict[str, Any] = field(default_factory=dict)
    data: DataOptions = field(default_factory=DataOptions)

    def __post_init__(self) -> None:
        """Check that the parts fit each other.

        Raises:
            InputError: names the first part that does not fit.
        """
        self.source.require(self.spec, self.labels)
        classes = 1 + int(max(self.dataset.y_train.max(), self.dataset.y_test.max()))
        if classes > self.source.classes:
            raise InputError(
                f"{self.dataset.name} has {classes} classes, the model {self.source.classes}"
            )

    @cached_property
    def graphs(self) -> FloatGraphs:
        """The model's float32 conversions, shared by exports, audits and diagnosis."""
        return FloatGraphs(self.source)

    def as_arguments(self) -> tuple[str, ...]:
        """Return the command-line arguments that select this model, quoted.

        A run folder is enough; a file needs its options, for example
        ``colors.keras --data colors.npz --scale 1.0``.
        """
        if self.exports != Path():  # only a run has such a folder
            return (shlex.quote(str(self.source.path.parent)),)
        stated = self.stated.as_arguments() if self.stated else ()
        return (shlex.quote(str(self.source.path)), *self.data.as_arguments(), *stated)


@dataclass(frozen=True, slots=True)
class Located:
    """A Keras model that was found and checked, with its options, but not loaded.

    Attributes:
        path: the ``.keras`` file.
        run: the run folder; None for a file that was named directly.
        data: see :func:`locate`.
        overrides: see :func:`locate`.

    Example::

        located = locate(Path("runs/latest"), DataOptions())
        trained = located.load(reporter)  # imports TensorFlow
    """

    path: Path
    run: runs.Run | None
    data: DataOptions
    overrides: Overrides

    def __post_init__(self) -> None:
        """Check what can be checked before TensorFlow and the images are loaded.

        Raises:
            InputError: it is no Keras model, or the options do not match its record.
            DataError: the data is missing, or none was named.
            MissingDependencyError: TensorFlow is not installed.
        """
        require_keras_file(self.path)
        own = self.data.name is None and self.data.path is None
        if own and self.run is None:
            raise DataError(
                f"{self.path} does not record its training data; name the data, from which "
                "images are taken for calibration and comparison: --data PATH, or --dataset mnist"
            )
        check_data(runs.data_options(self.run.config["data"]) if own and self.run else self.data)
        if recorded := self.record:
            self.overrides.spec(_adapted(recorded.spec, self.data))
            _require_labels(self.overrides.labels, len(recorded.labels))
        require_tensorflow()

    @property
    def record(self) -> runs.Run | None:
        """The run, also of a file beside its ``config.json``; None for a bare file."""
        config = None if self.run else runs.config_beside(self.path)
        return runs.Run(self.path.parent, config) if config else self.run

    @property
    def exports(self) -> Path:
        """The folder of artifacts."""
        return self.run.exports if self.run else Path()

    def load(self, reporter: Reporter = SILENT) -> TrainedModel:
        """Load TensorFlow, the model and its data.

        Args:
            reporter: receives the progress of slow reading.

        Raises:
            InputError: it is no image classifier, or the data does not fit it.
            DataError: the data is damaged.
        """
        if self.run is None:
            return _from_file(self.path, self.data, self.overrides, reporter)
        return _from_run(self.run, self.data, self.overrides, reporter)


def locate(model: Path | None, data: DataOptions, overrides: Overrides = Overrides()) -> Located:
    """Find a run, a ``.keras`` file, or (with None) the latest run, and check the options.

    Args:
        model: a run folder, a ``.keras`` file, or None.
        data: overrides the data of a run; required for a ``.keras`` file.
        overrides: labels and preprocessing of a user's own model.

    Raises:
        InputError: there is no such model.
        DataError: the data is missing, or none was named.
        MissingDependencyError: TensorFlow is not installed.

    Example:
        >>> locate(Path("nowhere"), DataOptions())
        Traceback (most recent call last):
        runtime.errors.InputError: nowhere is not a finished run folder
    """
    if model is not None and model.suffix == ".keras":
        return Located(model, None, data, overrides)
    if model is not None and model.is_file():
        raise InputError(f"{model} is no run folder and no .keras file")
    run = runs.latest_run() if model is None else runs.open_run(model)
    return Located(run.model, run, data, overrides)


def resolve(
    model: Path | None,
    data: DataOptions,
    overrides: Overrides = Overrides(),
    reporter: Reporter = SILENT,
) -> TrainedModel:
    """Find a model and load it: see :func:`locate` and :meth:`Located.load`.

    Example::

        run = resolve(Path("runs/latest"), DataOptions())
        data = DataOptions(path=Path("colors.npz"))
        own = resolve(Path("colors.keras"), data, Overrides(scale=1.0))
    """
    return locate(model, data, overrides).load(reporter)


def _load(path: Path, reporter: Reporter) -> KerasSource:
    """Load a Keras model; most of the time is TensorFlow's import."""
    with reporter.task("starting TensorFlow", 1) as tick:
        source = load_keras(path)
        tick(1)
    return source


def _from_run(
    run: runs.Run, data: DataOptions, extra: Overrides, reporter: Reporter
) -> TrainedModel:
    own = data.name is None and data.path is None
    dataset = run.dataset(reporter=reporter) if own else load_dataset(data, reporter)
    dataset, training = _training_part(dataset, run.config)
    return TrainedModel(
        source=_load(run.model, reporter),
        name=extra.name or run.name,
        labels=extra.labels or run.labels,
        spec=extra.spec(_adapted(run.spec, data)),
        dataset=in_order(dataset, extra.labels or run.labels, reporter),
        training=training,
        exports=run.exports,
        lineage=run.config.get("lineage", {}),
        data=runs.data_options(run.config["data"]) if own else data,
    )


def _from_file(path: Path, data: DataOptions, extra: Overrides, reporter: Reporter) -> TrainedModel:
    source = _load(path, reporter)
    height, width, channels = source.image_shape
    if (data.image_size or (height, width), data.channels or channels) != (
        (height, width),
        channels,
    ):
        raise InputError(
            f"{path} takes images of {height}x{width} with {channels} channels; --image-size and "
            "--channels cannot change that"
        )
    sized = replace(data, image_size=(height, width), channels=channels)
    config = runs.config_beside(path)
    dataset, training = _training_part(load_dataset(sized, reporter), config)
    labels, spec = extra.labels, dataset.spec
    stated: Overrides | None = extra
    if config:  # the record of its training counts more than its exports
        run = runs.Run(path.parent, config)
        labels, spec, stated = extra.labels or run.labels, _adapted(run.spec, data), None
    return TrainedModel(
        source=source,
        name=extra.name or runs.slug(path.stem),
        labels=labels or dataset.labels,
        spec=extra.spec(spec),
        dataset=in_order(dataset, labels, reporter),
        training=training,
        exports=Path(),
        stated=stated,
        lineage=config.get("lineage", {}) if config else {},
        data=sized,
    )


def _training_part(
    dataset: Dataset, config: dict[str, Any] | None
) -> tuple[Dataset, NDArray[np.int64]]:
    """Return the data of the training, and the indices of its training images.

    Without a record of the training, or with other data, all training images may be used.
    """
    if config:
        options = config["options"]
        trained = dataset.limited(options["limit"])
        if trained.checksum == config["data"]["sha256"]:
            part, _ = train_validation(trained, options["validation_split"], options["seed"])
            return trained, part
    return dataset, np.arange(len(dataset.y_train))


def _require_labels(labels: tuple[str, ...] | None, classes: int) -> None:
    if labels is not None and len(labels) != classes:
        raise InputError(
            f"the model has {classes} classes, but there are {len(labels)} labels (--labels)"
        )


def _adapted(spec: PreprocessSpec, data: DataOptions) -> PreprocessSpec:
    """Return the preprocessing of a run with the requested fit and polarity."""
    size = data.image_size or (spec.height, spec.width)
    if (*size, data.channels or spec.channels) != spec.shape:
        raise InputError(f"the model of the run takes {spec.shape}; its size cannot be changed")
    return replace(spec, fit=data.fit or spec.fit, polarity=data.polarity or spec.polarity)


def in_order(dataset: Dataset, labels: tuple[str, ...] | None, reporter: Reporter) -> Dataset:
    """Number the classes of the data as the model does, if both use the same names.

    Args:
        dataset: its classes are numbered in the order of its own labels.
        labels: those of the model; None if they are not known.
        reporter: receives a remark if the names differ.

    Raises:
        UnknownNameError: some of the names are those of the data and others are not, which
            is probably a mistake.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> x, y = np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1])
        >>> data = Dataset("tiny", x, y, x, y, ("off", "on"), PreprocessSpec(8, 8))
        >>> in_order(data, ("on", "off"), SILENT).y_test
        array([1, 0])
    """
    if labels is None or labels == dataset.labels:
        return dataset
    if len(labels) != len(dataset.labels):
        return dataset  # refused by TrainedModel
    if unknown := set(labels) - set(dataset.labels):
        if len(unknown) < len(labels):
            raise UnknownNameError("label", min(unknown), dataset.labels)
        pairs = ", ".join(f"{a} = {b}" for a, b in zip(dataset.labels, labels, strict=True))
        reporter.say(f"the classes of {dataset.name} are taken in their order: {pairs}")
        return dataset
    index = np.array([labels.index(name) for name in dataset.labels])
    y_train, y_test = index[dataset.y_train], index[dataset.y_test]
    return replace(dataset, labels=labels, y_train=y_train, y_test=y_test)


def as_exported(
    trained: TrainedModel, files: tuple[Artifact, ...], reporter: Reporter
) -> TrainedModel:
    """Take labels and preprocessing of a bare ``.keras`` file from its exports.

    Options of the user and the record of a run have priority. Only files that were made from
    this model count. A run keeps its own record, so that a model file with other preprocessing
    is detected.

    Args:
        trained: the Keras model with its data.
        files: model files.
        reporter: receives a remark on the source of labels and preprocessing.

    Raises:
        InputError: the files do not agree.

    Example::

        files = read_files([Path("colors.int8.tflite")])
        trained = as_exported(resolve(Path("colors.keras"), data), files, reporter)
    """
    if trained.stated is None:
        return trained
    own = [
        (file.path.name, found)
        for file in files
        if (found := file.manifest) and found.created.source_sha256 == trained.source.sha256
    ]
    if not own:
        return trained
    name, first = own[0]
    labels = trained.stated.labels or first.labels
    specs = {trained.stated.spec(found.preprocess) for _, found in own}
    if len(specs) > 1 or any((trained.stated.labels or m.labels) != labels for _, m in own):
        raise InputError(
            "the files do not agree on labels or preprocessing; state those of the Keras "
            "model: --labels, --scale, --mean, --std, --fit, --polarity"
        )
    spec = specs.pop()
    if (spec, labels) == (trained.spec, trained.labels):
        return trained
    reporter.say(f"Options left out for the Keras model are taken from {name}")
    return replace(
        trained,
        spec=spec,
        labels=labels,
        dataset=in_order(trained.dataset, labels, reporter),
    )
