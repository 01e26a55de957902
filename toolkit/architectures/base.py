"""Architectures: named ways to build an untrained Keras classifier."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from runtime.errors import EdgeError, InputError

if TYPE_CHECKING:
    import keras

PADDINGS = ("same", "valid")


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """Input shape, classes and other options of a network.

    Attributes:
        input_shape: height, width and channels of one image.
        classes: number of outputs.
        padding: padding of the convolutions, ``same`` or ``valid``.
        seed: seed of weights and dropout.

    Example:
        >>> BuildOptions((28, 28, 1), classes=1)
        Traceback (most recent call last):
        runtime.errors.InputError: a classifier needs at least 2 classes, not 1
    """

    input_shape: tuple[int, int, int]
    classes: int
    padding: str = "same"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a field is out of its range.
        """
        if self.padding not in PADDINGS:
            raise InputError(f"unknown padding '{self.padding}'. Known: {', '.join(PADDINGS)}.")
        if self.classes < 2:
            raise InputError(f"a classifier needs at least 2 classes, not {self.classes}")


class Architecture(ABC):
    """An architecture; a file in this package with one such class adds it.

    Attributes:
        name: the value of ``--architecture``.
        short: its part in the names of artifacts, for example ``cnn`` in ``mnist-cnn``.
        summary: one line for ``--help``.
        paddings: the paddings that it can be built with.

    Example::

        class Linear(Architecture):
            name, short, summary = "linear", "linear", "one dense layer"

            def _build(self, options):
                image = keras.Input(options.input_shape)
                x = layers.Flatten()(image)
                return keras.Model(image, probabilities(x, options))
    """

    name: ClassVar[str]
    short: ClassVar[str]
    summary: ClassVar[str]
    paddings: ClassVar[tuple[str, ...]] = PADDINGS

    def build(self, options: BuildOptions) -> keras.Model:
        """Return an uncompiled model: one image input, softmax output, seeded weights.

        Raises:
            InputError: the images are too small for the layers, or the padding does not fit.
        """
        import keras

        self.require(options.padding)
        keras.utils.set_random_seed(options.seed)
        try:
            return self._build(options)
        except EdgeError:
            raise
        except ValueError as error:
            height, width, _ = options.input_shape
            raise InputError(
                f"architecture {self.name} cannot be built for {height}x{width} images "
                f"with padding '{options.padding}': {str(error).splitlines()[0]}"
            ) from error

    def require(self, padding: str) -> None:
        """Check that it can be built with a padding.

        Raises:
            InputError: it cannot.
        """
        if padding not in self.paddings:
            raise InputError(
                f"architecture {self.name} is not made for padding '{padding}'. "
                f"Known: {', '.join(self.paddings)}."
            )

    @abstractmethod
    def _build(self, options: BuildOptions) -> keras.Model: ...
