"""Weights, biases and scales in a file that do not come from converting the Keras model.

Outputs cannot show that one weight of a hundred thousand is wrong; the constants can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.diagnosis.causes import constants
from toolkit.diagnosis.scales import rescaled
from toolkit.inspection.alignment import align

if TYPE_CHECKING:
    from toolkit.inspection import GraphView, Kernel

_FOREIGN = 0.5  # share of layers with wrong constants that indicates another model


def changed(
    quantized: GraphView, reference: GraphView, *, allow_foreign: bool = False
) -> tuple[str, ...]:
    """Return what was changed after conversion, one text per layer or one for all.

    Args:
        quantized: the file.
        reference: the float model in the same format.
        allow_foreign: return nothing if most layers differ; a tool that chooses weights
            in another way makes such files, and so does another training.

    Raises:
        ArtifactError: the graphs are not of the same network.

    Example::

        for text in changed(view(file.data, ".tflite"), float_view(graphs, ".tflite")):
            print(text)  # layer conv2d: 1 of 72 weights is not the Keras model's; …
    """
    reference, aligned = align(quantized, reference)
    names = {theirs.name: ours.name for ours, theirs in aligned}
    pairs = pair_kernels(quantized, reference, names)
    wrong: dict[str, list[str]] = {}
    for name, (stored, model) in pairs.items():
        if texts := constants(stored, model, quantized.output_range(quantized.layer(name))):
            wrong[name] = texts
    if text := foreign(len(wrong), len(pairs)):
        return () if allow_foreign else (text,)
    for key, text in rescaled(quantized, pairs).items():
        where = next((layer.name for layer in quantized.layers if layer.key == key), "the input")
        wrong.setdefault(where, []).append(text)
    return tuple(
        f"layer {name}: {'; '.join(texts)}; the file was damaged or changed after conversion"
        for name, texts in wrong.items()
    )


def pair_kernels(
    quantized: GraphView, reference: GraphView, names: dict[str, str]
) -> dict[str, tuple[Kernel, Kernel]]:
    """Return the weights in the file and in float, by the layer's name in the file.

    Args:
        quantized: the file.
        reference: the float model.
        names: of the file's layers, by the name in the float model.

    Example::

        stored, model = pair_kernels(quantized, reference, {"conv2d": "conv2d"})["conv2d"]
    """
    model = {names[kernel.layer]: kernel for kernel in reference.kernels()}
    return {
        stored.layer: (stored, model[stored.layer])
        for stored in quantized.kernels()
        if stored.layer in model
    }


def foreign(wrong: int, kernels: int) -> str | None:
    """Recognise a file of the same network after another training.

    Args:
        wrong: how many layers have wrong constants.
        kernels: how many layers have weights.

    Example:
        >>> foreign(wrong=1, kernels=4) is None
        True
        >>> print(foreign(wrong=4, kernels=4))
        the weights of 4 of 4 layers are not those of the Keras model: ...
    """
    if wrong <= max(1, _FOREIGN * kernels):
        return None
    return (
        f"the weights of {wrong} of {kernels} layers are not those of the Keras model: the "
        "file was made from another training of it, or by a tool that changes weights"
    )
