"""The initial network of a training: registered, built by the user, or trained before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporters.keras_model.source import KerasSource, load_keras, require_keras_file
from runtime.errors import InputError
from runtime.registry import pick
from toolkit import architectures
from toolkit.architectures import Architecture, BuildOptions
from toolkit.architectures._custom import Custom, gives_probabilities
from toolkit.runs import run as runs

if TYPE_CHECKING:
    import keras

    from toolkit.datasets import Dataset
    from toolkit.training.options import TrainOptions

_FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Network:
    """A network that is not compiled yet.

    Attributes:
        model: in the precision of the options; its output is float32.
        short: its part in the names of runs and artifacts, for example ``cnn``.

    Example::

        network = build(TrainOptions(), load_dataset(DataOptions(name="digits")))
        network.model.summary()
    """

    model: keras.Model
    short: str


def require_known(options: TrainOptions) -> None:
    """Check what :func:`build` would refuse after data and TensorFlow are loaded.

    Raises:
        InputError: the padding is not for this architecture, or there is no model to start from.
        UnknownNameError: no such architecture.

    Example:
        >>> from toolkit.training.options import TrainOptions
        >>> require_known(TrainOptions(architecture="resnet21"))
        Traceback (most recent call last):
        runtime.errors.UnknownNameError: unknown architecture 'resnet21'...
    """
    if options.start is None:
        _architecture(options.architecture).require(options.padding)
        return
    _refuse_shape_options(options)
    model, _ = _trained(options)
    require_keras_file(model)


def _architecture(name: str) -> Architecture:
    return Custom(name) if ":" in name else pick(architectures.registry(), "architecture", name)()


def _trained(options: TrainOptions) -> tuple[Path, dict[str, Any] | None]:
    """Return the model that a training starts from, and the record of its own training."""
    path = Path(str(options.start))
    if path.suffix == ".keras":
        return path, runs.config_beside(path)
    run = runs.open_run(path)
    return run.model, run.config


def build(options: TrainOptions, dataset: Dataset) -> Network:
    """Build the network of a training, with seeded weights.

    Args:
        options: the architecture; the precision is not ``auto``.
        dataset: its images and classes determine the input and the output.

    Raises:
        InputError: the images do not fit the network, or a user's builder does not work.
        UnknownNameError: no such architecture.

    Example::

        model = build(TrainOptions(architecture="resnet20"), dataset).model
    """
    if options.start is not None:
        network = _started(options, dataset)
    else:
        network = _untrained(options, dataset)
    if options.precision == _FLOAT32:
        return network
    return Network(in_precision(network.model, options.precision), network.short)


def in_precision(model: keras.Model, policy: str) -> keras.Model:
    """Return a model with the same weights in another precision, without optimizer.

    Args:
        model: any Keras model.
        policy: ``float32`` or ``mixed_bfloat16``; weights and output are float32 in both.

    Example::

        faster = in_precision(model, "mixed_bfloat16")
    """
    import keras

    last = model.layers[-1].name

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        dtype = _FLOAT32 if layer.name == last else policy
        return layer.__class__.from_config(layer.get_config() | {"dtype": dtype})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _untrained(options: TrainOptions, dataset: Dataset) -> Network:
    name = options.architecture
    wanted = BuildOptions(
        dataset.spec.shape, len(dataset.labels), padding=options.padding, seed=options.seed
    )
    known = _architecture(name)
    short = runs.slug(name.rpartition(":")[2]) if ":" in name else known.short
    return Network(known.build(wanted), short)


def _started(options: TrainOptions, dataset: Dataset) -> Network:
    """Take the weights of an earlier training; a new head if the classes differ."""
    import keras

    _refuse_shape_options(options)
    path, config = _trained(options)
    source = load_keras(path)
    _check_images(source, config, dataset)
    keras.utils.set_random_seed(options.seed)
    model = in_precision(source.model, _FLOAT32)
    same = not config or tuple(config["data"]["labels"]) == dataset.labels
    if source.classes != len(dataset.labels) or not same or not gives_probabilities(model):
        model = _with_new_head(model, len(dataset.labels))
    _freeze(model, options.freeze)
    return Network(model, _short(config, path))


def _refuse_shape_options(options: TrainOptions) -> None:
    """Refuse options that would be ignored: the earlier model has its layers."""
    defaults = {field.name: field.default for field in fields(options)}
    for name in ("architecture", "padding"):
        if getattr(options, name) != defaults[name]:
            raise InputError(f"--{name} has no effect with --from, which brings its own layers")


def _check_images(source: KerasSource, config: dict[str, Any] | None, dataset: Dataset) -> None:
    """Refuse images of another size or scaling than those of the earlier training."""
    if source.image_shape != dataset.spec.shape:
        raise InputError(
            f"--from {source.path} takes images of {source.image_shape}, {dataset.name} has "
            f"{dataset.spec.shape}; an image folder is brought to that size by --image-size"
        )
    if config:
        before = runs.Run(source.path.parent, config).spec
        for name in ("scale", "mean", "std"):
            old, new = getattr(before, name), getattr(dataset.spec, name)
            if old != new:
                raise InputError(
                    f"--from {source.path} was trained with {name} {old}, {dataset.name} has {new}"
                )


def _short(config: dict[str, Any] | None, path: Path) -> str:
    """Return the name of the earlier model without that of its data."""
    if not config:
        return runs.slug(path.stem)
    return str(config["name"]).removeprefix(f"{runs.slug(config['data']['name'])}-")


def _with_new_head(model: keras.Model, classes: int) -> keras.Model:
    """Replace the last layer with weights, and the layers after it, by a new softmax layer."""
    import keras

    head = [layer for layer in model.layers if layer.weights][-1]
    if type(head).__name__ != "Dense":
        raise InputError(
            f"the last layer with weights of {model.name} is {head.name}, a "
            f"{type(head).__name__}; only a Dense one can be replaced for other classes"
        )
    scores = keras.layers.Dense(classes, activation="softmax", name=head.name)(head.input)
    return keras.Model(model.inputs[0], scores, name=model.name)


def _freeze(model: keras.Model, count: int) -> None:
    """Freeze the first layers with weights, including the statistics of batch norm."""
    weighted = [layer for layer in model.layers if layer.weights]
    if count >= len(weighted):
        raise InputError(
            f"--freeze {count}: of {len(weighted)} layers with weights at least one must be "
            f"trained; at most --freeze {len(weighted) - 1}"
        )
    for layer in model.layers[: model.layers.index(weighted[count])]:
        layer.trainable = False
