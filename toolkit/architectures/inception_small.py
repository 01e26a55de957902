"""A small Inception: branches with kernels of several sizes side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from toolkit.architectures._blocks import convolution, probabilities
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras

_STEM = 32


class _Widths(NamedTuple):
    """Channels of the branches; ``reduce`` is the 1x1 convolution before a larger kernel."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int


# Two modules on each size of the image, 64 and 128 channels out.
_STAGES = (
    (_Widths(16, 16, 24, 8, 12, 12), _Widths(16, 16, 24, 8, 12, 12)),
    (_Widths(32, 32, 48, 16, 24, 24), _Widths(32, 32, 48, 16, 24, 24)),
)


class InceptionSmall(Architecture):
    """Inception modules (Szegedy et al., arXiv:1409.4842, figure 2b) for small images.

    With batch normalisation, as in arXiv:1502.03167, and with the average over the last
    feature maps instead of dense layers, as in both papers.
    """

    name: ClassVar[str] = "inception-small"
    short: ClassVar[str] = "inception"
    summary: ClassVar[str] = "4 Inception modules: 1x1, 3x3, 5x5 and pooling side by side"
    paddings: ClassVar[tuple[str, ...]] = ("same",)  # the branches must stay equally large

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        image = Input(options.input_shape, name="image")
        x = convolution(image, _STEM, 3, "stem")
        for stage, modules in enumerate(_STAGES, start=1):
            x = layers.MaxPooling2D(2, name=f"pool{stage}")(x)
            for number, widths in enumerate(modules, start=1):
                x = _module(x, widths, f"stage{stage}_module{number}")
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(0.4, seed=options.seed, name="dropout")(x)
        return Model(image, probabilities(x, options), name="inception_small")


def _module(x: Any, widths: _Widths, name: str) -> Any:
    """Four branches over the same input, their channels concatenated."""
    from keras import layers

    three = convolution(x, widths.three_reduce, 1, f"{name}_3x3_reduce")
    five = convolution(x, widths.five_reduce, 1, f"{name}_5x5_reduce")
    pool = layers.MaxPooling2D(3, 1, padding="same", name=f"{name}_maxpool")(x)
    branches = [
        convolution(x, widths.one, 1, f"{name}_1x1"),
        convolution(three, widths.three, 3, f"{name}_3x3"),
        convolution(five, widths.five, 5, f"{name}_5x5"),
        convolution(pool, widths.pool, 1, f"{name}_project"),
    ]
    return layers.Concatenate(name=f"{name}_concat")(branches)
