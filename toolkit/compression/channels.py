"""Groups of channels of a Keras model that can only be removed together.

A convolution produces channels; batch norm, activations and pooling pass them on; an
addition ties those of its inputs; the next convolution or dense layer reads them. The
channels of the image, of the class scores, and of layers without a rule here, stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import ExportError

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

MAKERS = {"Conv2D": "filters", "SeparableConv2D": "filters", "Dense": "units"}
_TIES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
_PASS = (
    "Activation",
    "AveragePooling2D",
    "BatchNormalization",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "Identity",
    "LeakyReLU",
    "MaxPooling2D",
    "ReLU",
    "SpatialDropout2D",
    "UpSampling2D",
    "ZeroPadding2D",
)


@dataclass(eq=False)
class Group:
    """Channels that are kept or removed together.

    Attributes:
        size: number of channels.
        fixed: none of them can be removed.
        makers: names of the layers that produce them.
        same: the group that this one was tied to; None if there is none.

    Example:
        >>> first, second = Group(16, makers=["stem"]), Group(16, makers=["conv2"])
        >>> first.tie(second)
        >>> second.root.makers
        ['stem', 'conv2']
    """

    size: int
    fixed: bool = False
    makers: list[str] = field(default_factory=list)
    same: Group | None = None

    @property
    def root(self) -> Group:
        """The group that this one was tied to, or itself."""
        return self if self.same is None else self.same.root

    def tie(self, other: Group) -> None:
        """Make both one group."""
        first, second = self.root, other.root
        if first is second:
            return
        first.fixed |= second.fixed
        first.makers += second.makers
        second.same = first


@dataclass(frozen=True, slots=True)
class Port:
    """The channels that a tensor carries.

    Attributes:
        group: of its channels.
        repeats: how often the channels repeat in its last axis: 1, or the number of pixels
            after a Flatten.

    Example:
        >>> Port(Group(4), repeats=2).indices(np.array([0, 3]))
        array([0, 3, 4, 7])
    """

    group: Group
    repeats: int = 1

    def indices(self, kept: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the kept channels in the last axis."""
        starts = np.arange(self.repeats)[:, None] * self.group.root.size
        return (starts + kept[None]).ravel()


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of a model.

    Attributes:
        reads: input channels by layer name.
        makes: output channels by layer name.
        groups: those that can be narrowed, in the order of the layers.

    Example::

        sizes = [group.size for group in find(model).groups]
    """

    reads: dict[str, Port]
    makes: dict[str, Port]
    groups: tuple[Group, ...]


def find(model: keras.Model) -> Channels:
    """Follow the channels through a model.

    Args:
        model: Sequential or functional; models inside it stay as they are.

    Raises:
        ExportError: there is nothing to narrow.

    Example::

        channels = find(keras.models.load_model("model.keras"))
    """
    reads: dict[str, Port] = {}
    makes: dict[str, Port] = {}
    ports = _Ports(model)
    for layer in model.layers:
        if type(layer).__name__ == "InputLayer":
            continue
        incoming = ports.of_input(layer)
        port = _step(layer, incoming)
        reads[layer.name], makes[layer.name] = incoming[0], port
        ports.put(layer, port)
    ports.fix_outputs(model)
    roots = {id(port.group.root): port.group.root for port in makes.values()}
    groups = tuple(group for group in roots.values() if not group.fixed and group.makers)
    if not groups:
        raise ExportError(
            f"{model.name} has no layer that can be narrowed; compress takes flat models of "
            "convolutions and dense layers"
        )
    return Channels(reads, makes, groups)


class _Ports:
    """Channels by tensor in a functional model, from layer to layer in a sequential one."""

    def __init__(self, model: keras.Model) -> None:
        import keras

        self._chain = isinstance(model, keras.Sequential)
        self._last = Port(Group(int(model.inputs[0].shape[-1]), fixed=True))
        self._known = {id(model.inputs[0]): self._last}

    def of_input(self, layer: keras.layers.Layer) -> list[Port]:
        if self._chain:
            return [self._last]
        try:
            return [self._known[id(tensor)] for tensor in tensors(layer.input)]
        except KeyError:
            raise ExportError(
                f"layer {layer.name} is used more than once; compress takes models that use "
                "each layer once"
            ) from None

    def put(self, layer: keras.layers.Layer, port: Port) -> None:
        self._last = port
        if not self._chain:
            self._known |= {id(tensor): port for tensor in tensors(layer.output)}

    def fix_outputs(self, model: keras.Model) -> None:
        last = self._last if self._chain else self._known[id(model.outputs[0])]
        last.group.root.fixed = True


def tensors(value: Any) -> list[Any]:
    """Return the inputs or outputs of a layer as a list; Keras returns a single tensor bare.

    Example:
        >>> tensors("x"), tensors(("x", "y"))
        (['x'], ['x', 'y'])
    """
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _step(layer: keras.layers.Layer, incoming: list[Port]) -> Port:
    """Return the output channels of a layer; fix the input channels that must stay."""
    kind, first = type(layer).__name__, incoming[0]
    if kind in MAKERS and _plain(layer):
        return Port(Group(int(layer.output.shape[-1]), makers=[layer.name]))
    if kind in _PASS and first.repeats == 1 and _channelwise(layer):
        return first
    if kind in ("Dropout", "Activation", "ReLU") and _channelwise(layer):
        return first
    if kind in _TIES and all(port.repeats == 1 for port in incoming) and _same_size(incoming):
        for port in incoming[1:]:
            first.group.tie(port.group)
        return first
    if kind == "Flatten" and layer.data_format == "channels_last":
        pixels = int(np.prod(layer.input.shape[1:-1]))
        return Port(first.group, first.repeats * pixels)
    for port in incoming:
        port.group.root.fixed = True
    return Port(Group(int(layer.output.shape[-1]), fixed=True))


def _plain(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "groups", 1) == 1 and _channels_last(layer)


def _channelwise(layer: keras.layers.Layer) -> bool:
    """Whether channel i of the output comes from channel i of the input alone."""
    axis = getattr(layer, "axis", -1)
    if type(layer).__name__ == "BatchNormalization" and axis not in (
        -1,
        len(layer.input.shape) - 1,
    ):
        return False
    softmax = getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"
    return getattr(layer, "depth_multiplier", 1) == 1 and not softmax and _channels_last(layer)


def _channels_last(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "data_format", None) in (None, "channels_last")


def _same_size(incoming: list[Port]) -> bool:
    return len({port.group.root.size for port in incoming}) == 1
