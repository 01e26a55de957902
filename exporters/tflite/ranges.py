"""Calibration ranges of the activations in a float TFLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.quantization_options import ENTROPY, KEPT_PERCENT, MIN_MAX, MSE, PERCENTILE
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Range = tuple[float, float]
_CHUNK = 32  # images with their activations in memory at a time
_SHRINKS = np.linspace(0.2, 1.0, 81)  # shares of the full range that "mse" evaluates
_LEVELS = 255  # steps between the lowest and the highest 8-bit number
# Histogram bins between -max and max. The entropy method iterates over its bins.
_BINS, _ENTROPY_BINS, _ENTROPY_LEVELS = 4096, 512, 128


def tensor_ranges(
    payload: bytes, names: tuple[str, ...], batch: NDArray[np.float32], method: str
) -> dict[str, Range]:
    """Run a float model on images and compute the range of each tensor.

    Args:
        payload: a float32 TFLite file with batch 1.
        names: names of the tensors.
        batch: float32 (n, height, width, channels) in model units.
        method: a key of :data:`exporters.quantization_options.METHODS`.

    Returns:
        The lowest and the highest representable value, by tensor.

    Example::

        ranges = tensor_ranges(graphs.tflite, names, calibration.batch, "percentile")
    """
    with silenced():
        chunks = _activations(payload, names, batch)
        return _extremes(chunks) if method == MIN_MAX else _from_histograms(chunks, method)


def _activations(
    payload: bytes, names: tuple[str, ...], batch: NDArray[np.float32]
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Yield the values of each tensor, flattened, in chunks of images."""
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(
        model_content=payload, num_threads=1, experimental_preserve_all_tensors=True
    )
    engine.allocate_tensors()
    index = {one["name"]: one["index"] for one in engine.get_tensor_details()}
    image = engine.get_input_details()[0]["index"]
    for start in range(0, len(batch), _CHUNK):
        values: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
        for row in range(start, min(start + _CHUNK, len(batch))):
            engine.set_tensor(image, batch[row : row + 1])
            engine.invoke()
            for name in names:
                values[name].append(engine.get_tensor(index[name]).ravel())
        yield {name: np.concatenate(parts) for name, parts in values.items()}


def _extremes(chunks: Iterator[dict[str, NDArray[np.float32]]]) -> dict[str, Range]:
    found: dict[str, Range] = {}
    for chunk in chunks:
        for name, values in chunk.items():
            low, high = found.get(name, (np.inf, -np.inf))
            found[name] = (min(low, float(values.min())), max(high, float(values.max())))
    return found


def _from_histograms(
    chunks: Iterator[dict[str, NDArray[np.float32]]], method: str
) -> dict[str, Range]:
    """Compute histograms, and ranges where it offers the method, by ONNX Runtime's collector."""
    from onnxruntime.quantization.calibrate import HistogramCollector

    collector: Any = HistogramCollector(
        method=ENTROPY if method == ENTROPY else PERCENTILE,
        symmetric=False,
        num_bins=_ENTROPY_BINS if method == ENTROPY else _BINS,
        num_quantized_bins=_ENTROPY_LEVELS,
        percentile=KEPT_PERCENT,
        scenario="same",
    )
    for chunk in chunks:
        collector.collect({name: [values] for name, values in chunk.items()})
    histograms = collector.get_histogram_dict()
    if method == MSE:
        return {name: _least_error(*found[:4]) for name, found in histograms.items()}
    chosen = collector.compute_collection_result()
    return {name: _within(chosen[name][:2], found[2:4]) for name, found in histograms.items()}


def _within(chosen: Any, extremes: Any) -> Range:
    """Clip a range to the extremes: histograms are symmetric even where values are not."""
    low, high = (float(x) for x in chosen)
    return max(low, float(extremes[0])), min(high, float(extremes[1]))


def _least_error(
    counts: NDArray[np.int64], edges: NDArray[np.float32], lowest: float, highest: float
) -> Range:
    """Return the range, shrunk on both sides alike, with the least squared error in 8 bits."""
    centers = ((edges[:-1] + edges[1:]) / 2).astype(np.float64)
    errors = []
    for share in _SHRINKS:
        low, high = share * lowest, share * highest
        step = max(high - low, 1e-12) / _LEVELS
        stored = np.clip(np.rint((centers - low) / step), 0, _LEVELS) * step + low
        errors.append(float((counts * (stored - centers) ** 2).sum()))
    share = float(_SHRINKS[int(np.argmin(errors))])
    return share * float(lowest), share * float(highest)
