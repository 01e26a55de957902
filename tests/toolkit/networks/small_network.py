"""The smallest network that is trained like the others, in half the time of the default one."""

from keras import Input, Sequential, layers


def build(input_shape, classes):
    """One convolution, dropout, one dense layer."""
    return Sequential(
        [
            Input(input_shape),
            layers.Conv2D(4, 5, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(classes, activation="softmax"),
        ]
    )
