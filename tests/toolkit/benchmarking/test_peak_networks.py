"""The networks of the peak are real ones: every engine computes the same on them."""

import numpy as np
import pytest

from runtime.backends import registry
from runtime.modelfile.container_onnx import OnnxContainer
from runtime.modelfile.container_tflite import TfliteContainer
from toolkit.benchmarking.peak_networks import BUILDERS, FLOAT32, INT8, Chain
from toolkit.benchmarking.peak_service import CHAINS, open_chain

ENGINES = [name for name, backend in registry().items() if backend.installed()]
SMALL = {"channels": 16, "side": 8}


def by_hand(chain, image):
    """Compute a float chain with numpy alone."""
    values = image
    for inputs, kernel in [(1, 1), *[(chain.channels, chain.kernel)] * chain.layers]:
        weights, edge = chain.weights(inputs, kernel), kernel // 2
        padded = np.pad(values, [(edge, edge), (edge, edge), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (0, 1))
        values = np.einsum("hwikl,okli->hwo", windows, weights)
    return values.mean((0, 1))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("layers", "kernel"), [(3, 1), (2, 3)])
def test_a_float_chain_computes_what_numpy_computes(engine, layers, kernel, rng):
    chain = Chain(FLOAT32, layers, kernel, **SMALL)
    image = rng.random((8, 8, 1), dtype=np.float32)
    with open_chain(chain, engine) as backend:
        (found,) = backend.run(image[None])
    expected = by_hand(chain, image)
    assert np.abs(expected).max() > 0.05
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_int8_chain_runs_in_int8_and_its_numbers_do_not_die_out(engine, rng):
    chain = Chain(INT8, 2, 3, **SMALL)
    with open_chain(chain, engine) as backend:
        assert backend.input.dtype in ("int8", "uint8")
        (found,) = backend.run(rng.integers(0, 100, (1, 8, 8, 1)).astype(np.float32))
    assert np.abs(found).max() > 3


def test_the_tflite_engines_agree_on_int8(rng):
    names = [name for name in ENGINES if ".tflite" in registry()[name].suffixes]
    if len(names) < 2:
        pytest.skip("needs two TFLite engines")
    image, answers = rng.integers(0, 100, (1, 8, 8, 1)).astype(np.float32), []
    for name in names:
        with open_chain(Chain(INT8, 2, 3, **SMALL), name) as backend:
            answers.append(backend.run(image))
    assert np.abs(answers[0] - answers[1]).max() <= 1


def test_multiply_adds_are_those_of_the_layers():
    chain = Chain(INT8, 2, 3, channels=16, side=8)
    assert chain.multiply_adds == 64 * 16 * 1 + 2 * 64 * 16 * 16 * 9


@pytest.mark.parametrize("chain", CHAINS)
def test_the_files_are_whole(chain):
    TfliteContainer().check(BUILDERS[".tflite"](chain))
    OnnxContainer().check(BUILDERS[".onnx"](chain))


@pytest.mark.parametrize("chain", CHAINS)
def test_the_onnx_checker_accepts_them(chain):
    onnx = pytest.importorskip("onnx")
    model = onnx.load_model_from_string(BUILDERS[".onnx"](chain))
    onnx.checker.check_model(model, full_check=True)


def test_the_tflite_schema_reads_them():
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    chain = Chain(INT8, 2, 3, **SMALL)
    model = schema.ModelT.InitFromPackedBuf(BUILDERS[".tflite"](chain), 0)
    (graph,) = model.subgraphs
    assert [model.operatorCodes[o.opcodeIndex].builtinCode for o in graph.operators] == [
        3,
        3,
        3,
        40,
    ]
    weights = graph.tensors[graph.operators[1].inputs[1]]
    stored = np.asarray(model.buffers[weights.buffer].data).view(np.int8).reshape(weights.shape)
    assert (stored == chain.weights(16, 3)).all()
    assert weights.quantization.scale[0] == pytest.approx(chain.scale(16, 3))
