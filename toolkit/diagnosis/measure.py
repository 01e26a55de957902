"""Comparison of a file with its float model, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runtime.errors import ArtifactError, InputError
from toolkit.diagnosis.causes import Finding, find
from toolkit.diagnosis.constants import foreign, pair_kernels
from toolkit.diagnosis.report import Diagnosis, LayerDiagnosis
from toolkit.diagnosis.scales import rescaled
from toolkit.diagnosis.sums import Difference, Extent
from toolkit.inspection.alignment import align
from toolkit.inspection.base import INPUT
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from toolkit.inspection import GraphView, Kernel, Layer, TensorRange

_MEMORY = 1 << 26  # bytes of float activations held at once
_MOST = 64  # images run at once
_CLIPPED, _LITTLE = 0.01, 1 / 3  # of the image's values; of the input's range


@dataclass(slots=True)
class _Layer:
    """One layer of both graphs, with running sums."""

    quantized: Layer
    reference: Layer
    alone: Difference = field(default_factory=Difference)
    whole: Difference = field(default_factory=Difference)
    extent: Extent = field(default_factory=Extent)


def diagnose(
    quantized: GraphView,
    reference: GraphView,
    batch: NDArray[np.float32],
    reporter: Reporter = SILENT,
) -> Diagnosis:
    """Compare each layer of a file with the same layer of its float model.

    Each layer is also run alone, in both graphs, on the same values: those of the float
    model as far as the quantized layer can read them. So an error is attributed to the layer
    that makes it, and not to the following ones.

    Args:
        quantized: the file.
        reference: the float model in the same format; for ONNX as converted, or prepared
            for the quantizer.
        batch: float32 (n, height, width, channels), real images in model units.
        reporter: shows progress.

    Raises:
        InputError: there are no images.
        ArtifactError: the graphs are not of the same model.
        BackendError: an engine refuses one of them.

    Example::

        quantized, original = view(file.data, ".tflite"), float_view(graphs, ".tflite")
        worst = diagnose(quantized, original, spec.apply(images)).worst
        print(f"{worst.name}: {worst.own_sqnr:.0f} dB, {worst.remark}")
    """
    if len(batch) == 0:
        raise InputError("a diagnosis needs at least one image")
    reference, pairs = align(quantized, reference)
    layers = [_Layer(*pair) for pair in pairs]
    image = Extent()
    with reporter.task("running each layer", len(batch)) as tick:
        for part in _parts(reference, batch):
            image.add(part, quantized.input_range())
            _add(quantized, reference, layers, part)
            tick(len(part))
    return _conclude(quantized, reference, layers, image, len(batch))


def _parts(reference: GraphView, batch: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Split the images into chunks whose activations fit into the memory limit."""
    one = sum(values.nbytes for values in reference.activations(batch[:1]).values())
    size = min(max(1, _MEMORY // max(one, 1)), _MOST)
    for start in range(0, len(batch), size):
        yield batch[start : start + size]


def _add(
    quantized: GraphView, reference: GraphView, layers: list[_Layer], part: NDArray[np.float32]
) -> None:
    """Run one chunk of the images through both graphs and through each layer alone."""
    actual, expected = quantized.activations(part), reference.activations(part)
    for layer in layers:
        ours, theirs = layer.quantized, layer.reference
        if actual[ours.key].size != expected[theirs.key].size:
            raise ArtifactError(
                f"layer {ours.name} has the output shape {actual[ours.key].shape[1:]}, in the "
                f"Keras model {expected[theirs.key].shape[1:]}: it was made from another model"
            )
        layer.whole.add(expected[theirs.key], actual[ours.key])
        layer.extent.add(expected[theirs.key], quantized.output_range(ours))
        inputs = [part if key == INPUT else expected[key] for key in theirs.inputs]
        read = quantized.as_read(ours, inputs)
        layer.alone.add(reference.run_layer(theirs, read), quantized.run_layer(ours, read))


def _conclude(
    quantized: GraphView,
    reference: GraphView,
    layers: list[_Layer],
    image: Extent,
    images: int,
) -> Diagnosis:
    names = {layer.reference.name: layer.quantized.name for layer in layers}
    pairs = pair_kernels(quantized, reference, names)
    changed = rescaled(quantized, pairs)
    found = []
    for position, layer in enumerate(layers):
        held = quantized.output_range(layer.quantized)
        one = _layer(layer, position, pairs.get(layer.quantized.name), held)
        if text := changed.get(layer.quantized.key):
            remark = f"{text}; {one.remark}" if one.remark else text
            one = replace(one, wrong=True, remark=remark)
        found.append(one)
    found.sort(key=lambda one: (not one.wrong, one.own_sqnr, one.position))
    notes = [*_input(quantized.input_range(), image)]
    if text := foreign(sum(one.wrong for one in found), len(pairs)):
        notes.insert(0, text)
    if INPUT in changed:
        notes.append(f"the input: {changed[INPUT]}")
    return Diagnosis(tuple(found), images, tuple(notes))


def _layer(
    layer: _Layer, position: int, kernels: tuple[Kernel, Kernel] | None, held: TensorRange | None
) -> LayerDiagnosis:
    own = layer.alone.sqnr
    use = layer.extent.use(held) if held else None
    finding: Finding = find(
        layer.quantized.kind, kernels, held, layer.extent.saturated, use or 0.0, own
    )
    return LayerDiagnosis(
        name=layer.reference.name,
        key=layer.quantized.key,
        kind=layer.quantized.kind,
        position=position,
        own_sqnr=own,
        sqnr=layer.whole.sqnr,
        cosine=layer.whole.cosine,
        range_use=use,
        saturated=layer.extent.saturated if held else None,
        bits=layer.quantized.bits,
        is_float=layer.quantized.is_float,
        wrong=finding.wrong,
        remark=finding.remark,
    )


def _input(held: TensorRange | None, image: Extent) -> Iterator[str]:
    """Recognise an input that does not fit real images."""
    if held is None:
        return
    fact = f"it holds {held.low:.4g} … {held.high:.4g}, images {image.low:.4g} … {image.high:.4g}"
    if image.saturated > _CLIPPED:
        yield f"{image.saturated:.1%} of the image's values are clipped at the input: {fact}"
    elif image.use(held) < _LITTLE:
        yield f"images use only {image.use(held):.0%} of the input's range: {fact}"
