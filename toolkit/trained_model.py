"""What a command works on: a Keras model with its data, labels and preprocessing."""

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
    """What a user says about a model of their own; None keeps what the data says.

    Attributes:
        name: of the model and its artifacts.
        labels: the class names.
        scale: see :class:`PreprocessSpec`.
        mean: see :class:`PreprocessSpec`.
        std: see :class:`PreprocessSpec`.
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
        """Return a spec with these numbers instead of its own."""
        return replace(spec, **{k: v for k, v in self._changes().items() if v is not None})

    def _changes(self) -> dict[str, Any]:
        return {"scale": self.scale, "mean": self.mean, "std": self.std}

    def as_arguments(self) -> tuple[str, ...]:
        """Return what a person types on a command line to say the same, quoted."""
        return arguments({one.name: getattr(self, one.name) for one in fields(self)})


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A loaded Keras model and everything that belongs to it.

    Attributes:
        source: the model.
        name: of the model and its artifacts.
        labels: the class names.
        spec: how an image becomes model input.
        dataset: training and test images.
        training: int64, indices of the training images that were neither validation
            images nor left out: what calibration may use.
        exports: where artifacts go.
        stated: what the user said of a bare ``.keras`` file; None for a run, or a file
            beside its ``config.json``, which have a record of their own.
        lineage: what ``toolkit compress`` recorded of the teacher; empty if nobody taught it.
        data: loads the dataset again, in the size of the model.
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
            InputError: names the first thing that does not fit.
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
        """Return what a person types on a command line to name this model, quoted.

        A run folder knows the rest; a file needs its options, for example
        ``colors.keras --data colors.npz --scale 1.0``.
        """
        if self.exports != Path():  # only a run has a place for them
            return (shlex.quote(str(self.source.path.parent)),)
        said = self.stated.as_arguments() if self.stated else ()
        return (shlex.quote(str(self.source.path)), *self.data.as_arguments(), *said)


@dataclass(frozen=True, slots=True)
class Located:
    """A Keras model that was found and checked, with its options; nothing is loaded yet.

    Attributes:
        path: the ``.keras`` file.
        run: the run folder; None for a file that was named itself.
        data: see :func:`locate`.
        overrides: see :func:`locate`.
    """

    path: Path
    run: runs.Run | None
    data: DataOptions
    overrides: Overrides

    def __post_init__(self) -> None:
        """Check all that can be known before TensorFlow and the images are loaded.

        Raises:
            InputError: it is no Keras model, or the options do not match its record.
            DataError: the data is missing, or none was named.
            MissingDependencyError: TensorFlow is not installed.
        """
        require_keras_file(self.path)
        own = self.data.name is None and self.data.path is None
        if own and self.run is None:
            raise DataError(
                f"{self.path} does not say what it was trained on; name its data, from which "
                "images are taken for calibration and comparison: --data PATH, or --dataset mnist"
            )
        check_data(runs.data_options(self.run.config["data"]) if own and self.run else self.data)
        if recorded := self.record:
            self.overrides.spec(_adapted(recorded.spec, self.data))
            _require_labels(self.overrides.labels, len(recorded.labels))
        require_tensorflow()

    @property
    def record(self) -> runs.Run | None:
        """The run, also that of a file beside its ``config.json``; None for a bare file."""
        config = None if self.run else runs.config_beside(self.path)
        return runs.Run(self.path.parent, config) if config else self.run

    @property
    def exports(self) -> Path:
        """Where artifacts go."""
        return self.run.exports if self.run else Path()

    def load(self, reporter: Reporter = SILENT) -> TrainedModel:
        """Load TensorFlow, the model and its data.

        Args:
            reporter: shows slow reading.

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
        data: overrides the data of a run; needed for a ``.keras`` file.
        overrides: labels and numbers of a user's own model.

    Raises:
        InputError: there is no such model.
        DataError: the data is missing, or none was named.
        MissingDependencyError: TensorFlow is not installed.
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
    """Find a model and load it: see :func:`locate` and :meth:`Located.load`."""
    return locate(model, data, overrides).load(reporter)


def _load(path: Path, reporter: Reporter) -> KerasSource:
    """Load a Keras model; most of the seconds are TensorFlow's own start."""
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
    if config:  # the record of its training is worth more than what its exports say
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
    """Return the data as it was trained on, and its training indices.

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
    """Return the preprocessing of a run with the fit and polarity that were asked for."""
    size = data.image_size or (spec.height, spec.width)
    if (*size, data.channels or spec.channels) != spec.shape:
        raise InputError(f"the model of the run takes {spec.shape}; its size cannot be changed")
    return replace(spec, fit=data.fit or spec.fit, polarity=data.polarity or spec.polarity)


def in_order(dataset: Dataset, labels: tuple[str, ...] | None, reporter: Reporter) -> Dataset:
    """Number the classes of the data as the model does, where both use the same names.

    Args:
        dataset: its classes are numbered in the order of its own labels.
        labels: those of the model; None if they are not known.
        reporter: told where the names differ.

    Raises:
        UnknownNameError: some of the names are those of the data and others are not, which
            looks like a slip.
    """
    if labels is None or labels == dataset.labels:
        return dataset
    if len(labels) != len(dataset.labels):
        return dataset  # refused where the model is known
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
    """Run a bare ``.keras`` file as its exports say, where nobody says otherwise.

    Only files that were made from this very model count. A run keeps its own record, so
    that a model file with other preprocessing is found out.

    Args:
        trained: the Keras model with its data.
        files: model files.
        reporter: told where labels and preprocessing come from.

    Raises:
        InputError: the files do not agree.
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
            "the files do not agree on labels or preprocessing; say what is right for the Keras "
            "model: --labels, --scale, --mean, --std, --fit, --polarity"
        )
    spec = specs.pop()
    if (spec, labels) == (trained.spec, trained.labels):
        return trained
    reporter.say(f"What you do not say of the Keras model is taken from {name}")
    return replace(
        trained,
        spec=spec,
        labels=labels,
        dataset=in_order(trained.dataset, labels, reporter),
    )
