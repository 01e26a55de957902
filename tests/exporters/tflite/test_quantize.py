"""Files by litert-quantizer: in one piece, int8 at the ends, ranges as asked."""

from dataclasses import replace

import numpy as np
import pytest

from exporters.formats import registry
from exporters.quantization_options import QuantizationOptions
from exporters.tflite import graph as tflite_graph
from toolkit.export.request import ExportOptions, build_request


@pytest.fixture(scope="module")
def request_(trained, tmp_path_factory):
    options = ExportOptions((), tmp_path_factory.mktemp("out"))
    return build_request(trained, options, calibrate=True)


def keys(request_):
    (graph,) = tflite_graph.parse(request_.graphs.tflite).subgraphs
    return [graph.tensors[op.outputs[0]].name.decode() for op in graph.operators]


def draft(request_, **options):
    changed = replace(request_, quantization=QuantizationOptions(**options))
    return registry()["tflite-int8"]().draft(changed)


def test_all_weights_are_inside_the_flatbuffer(request_):
    """The tool puts large ones behind it, where other readers do not look."""
    model = tflite_graph.parse(draft(request_, method="mse").data)
    assert all(buffer.offset <= 1 for buffer in model.buffers)
    assert sum(len(b.data) for b in model.buffers if b.data is not None) > 880_000


@pytest.mark.parametrize(
    ("position", "ends"),
    [(1, ("int8", "int8")), (0, ("float32", "int8")), (-1, ("int8", "float32"))],
)
def test_the_ends_are_int8_unless_their_layer_is_in_float(request_, position, ends):
    exporter = registry()["tflite-int8"]()
    with exporter.open(draft(request_, float_layers=(keys(request_)[position],))) as backend:
        assert (backend.input.dtype, backend.output.dtype) == ends


def test_min_max_ranges_are_those_of_all_images_no_moving_average(request_):
    (graph,) = tflite_graph.parse(
        draft(request_, float_layers=(keys(request_)[-1],)).data
    ).subgraphs
    (plain,) = tflite_graph.parse(draft(request_).data).subgraphs
    mine, theirs = (
        {t.name: t.quantization.scale for t in g.tensors if t.quantization} for g in (graph, plain)
    )
    name = keys(request_)[0].encode()
    assert mine[name] == pytest.approx(theirs[name], rel=1e-3)
    assert np.size(mine[name]) == 1
