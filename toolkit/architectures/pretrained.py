"""Networks of keras.applications that begin with the weights of a training on ImageNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from runtime.errors import DataError, InputError
from runtime.terminal.silence import silenced
from toolkit.architectures._blocks import probabilities
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras

_SMALLEST = 32  # rows and columns that keras.applications accepts


class Pretrained(Architecture):
    """A network of keras.applications with a new last layer.

    A layer of the model scales the pixels from 0…1 to the range of the original training, so
    that every export does the same; a grey image is copied to all three channels.

    Attributes:
        application: its name in keras.applications.
        scaling: factor and offset on pixels of 0…1.
        weights: initial weights; None for random ones.

    Example::

        model = MobileNetV2().build(BuildOptions((96, 96, 3), classes=5))
    """

    application: ClassVar[str]
    scaling: ClassVar[tuple[float, float]]
    weights: ClassVar[str | None] = "imagenet"
    paddings: ClassVar[tuple[str, ...]] = ("same",)

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        height, width, channels = options.input_shape
        if min(height, width) < _SMALLEST:
            raise InputError(
                f"architecture {self.name} takes images from {_SMALLEST}x{_SMALLEST}, not "
                f"{height}x{width}; an image folder is brought to a size by --image-size"
            )
        image = x = Input(options.input_shape, name="image")
        if channels == 1:
            x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
        factor, offset = self.scaling
        x = self._features(layers.Rescaling(factor, offset, name="pixels")(x))
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(0.2, seed=options.seed, name="dropout")(x)
        return Model(image, probabilities(x, options), name=self.name.replace("-", "_"))

    def _features(self, x: Any) -> Any:
        """Return the feature maps of the last convolution; its layers become those of the model.

        Raises:
            DataError: the weights are not in the cache and cannot be downloaded.
        """
        import keras

        build = getattr(keras.applications, self.application)
        try:
            with silenced():
                return build(include_top=False, weights=self.weights, input_tensor=x).output
        except Exception as error:  # keras raises a bare Exception when a download fails
            if self.weights is None or "URL fetch failure" not in str(error):
                raise
            raise DataError(
                f"the pretrained weights of {self.name} cannot be downloaded. Go online, or start "
                "from a run of yours: toolkit train --from RUN --freeze N"
            ) from error


class MobileNetV2(Pretrained):
    """Sandler et al., arXiv:1801.04381."""

    name: ClassVar[str] = "mobilenetv2"
    short: ClassVar[str] = "mobilenetv2"
    summary: ClassVar[str] = "pretrained on ImageNet; images from 32x32"
    application: ClassVar[str] = "MobileNetV2"
    scaling: ClassVar[tuple[float, float]] = (2.0, -1.0)


class EfficientNetB0(Pretrained):
    """Tan and Le, arXiv:1905.11946; keras.applications has no EfficientNet-Lite."""

    name: ClassVar[str] = "efficientnet-b0"
    short: ClassVar[str] = "efficientnet"
    summary: ClassVar[str] = "pretrained on ImageNet; images from 32x32"
    application: ClassVar[str] = "EfficientNetB0"
    scaling: ClassVar[tuple[float, float]] = (255.0, 0.0)  # it has its own scaling of 0…255
