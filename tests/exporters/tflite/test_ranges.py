"""Ranges of activations: by hand on histograms, and in a real engine."""

import numpy as np
import pytest

from exporters.quantization_options import METHODS, QuantizationOptions
from exporters.tflite import ranges
from runtime.errors import UnknownNameError


def test_a_mistyped_method_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'entropy'"):
        QuantizationOptions(method="entropi")


def test_extremes_are_those_of_all_images():
    chunks = iter([{"a": np.array([0.0, 2.0])}, {"a": np.array([-3.0, 1.0])}])
    assert ranges._extremes(chunks) == {"a": (-3.0, 2.0)}


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_a_rare_outlier_is_cut_off(rng, method):
    values = rng.random(100_000).astype(np.float32)
    values[0] = 40.0
    low, high = ranges._from_histograms(iter([{"a": values}]), method)["a"]
    assert low == pytest.approx(0.0, abs=0.05)
    assert 0.9 < high < 20.0


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_even_values_keep_their_range(rng, method):
    values = rng.uniform(-2.0, 1.0, 100_000).astype(np.float32)
    low, high = ranges._from_histograms(iter([{"a": values}]), method)["a"]
    assert (low, high) == (pytest.approx(-2.0, abs=0.05), pytest.approx(1.0, abs=0.05))


def test_the_least_error_is_found_by_hand():
    counts = np.array([1000, 1000, 0, 0, 1])
    edges = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 100.0], np.float32)
    low, high = ranges._least_error(counts, edges, 0.0, 100.0)
    assert low == 0.0
    assert high < 100.0


@pytest.mark.parametrize("method", METHODS)
def test_ranges_lie_within_what_occurs(trained, method):
    from exporters.tflite import graph as tflite_graph

    payload = trained.graphs.tflite
    (graph,) = tflite_graph.parse(payload).subgraphs
    names = tuple(graph.tensors[op.outputs[0]].name.decode() for op in graph.operators)
    batch = trained.spec.apply(trained.dataset.x_train[:40])
    found = ranges.tensor_ranges(payload, names, batch, method)
    extremes = ranges.tensor_ranges(payload, names, batch, "min-max")
    assert set(found) == set(names)
    for name, (low, high) in found.items():
        assert extremes[name][0] - 1e-6 <= low < high <= extremes[name][1] + 1e-6
