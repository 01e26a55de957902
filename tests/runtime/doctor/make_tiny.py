"""Writes the model files that the doctor runs: python tests/runtime/doctor/make_tiny.py.

The network is made so that its answer can be computed by hand. A grey image (all pixels 127)
goes through eight 3x3 filters with ReLU; all nine weights of filter k are ``(k - 3) * 60 / 1143``,
so that each of the four places gives ``max(0, k - 3) * 60 / 255``: 0 0 0 0, then 60 120 180 240
as 8-bit integers of scale 1/255. The dense layer gives class c the logit ``c * ln 2``, and
softmax turns that into 1/15, 2/15, 4/15, 8/15.

``tiny.*`` multiply the filters in float32 and the dense layer in int8, so that both kinds of
kernels have to be right; ``tiny-float.*`` are float32 only, which is what a GPU takes whole.
"""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np

from runtime.modelfile import artifact as artifacts
from runtime.modelfile.manifest import Created, Manifest, Quantization, Requirements, TensorSpec
from runtime.preprocessing.spec import PreprocessSpec

FOLDER = Path(__file__).parents[3] / "runtime" / "doctor"
SIDE, PLACES, FILTERS, CLASSES = 4, 4, 8, 4
FEATURE_SCALE, FEATURE_ZERO = 1 / 255, -128
STEPS = 32  # integers of the dense layer's weights and output that one ln 2 has
LOGIT_SCALE = log(2) / STEPS
# All places and live filters together: 4 * (60 + 120 + 180 + 240) / 255.
WEIGHT_SCALE = LOGIT_SCALE / (PLACES * 600 / 255)


def filters() -> np.ndarray:
    """Return (filters, 3, 3, 1): filter k is everywhere ``(k - 3) * 60 / 1143``."""
    steps = np.arange(FILTERS, dtype=np.float64) - 3
    return np.tile((steps * 60 / 1143)[:, None, None, None], (1, 3, 3, 1)).astype(np.float32)


def dense() -> np.ndarray:
    """Return int8 (classes, places, filters); what ReLU made 0 gets the weight -127."""
    weights = np.full((CLASSES, PLACES, FILTERS), -127, np.int8)
    weights[:, :, 4:] = (np.arange(CLASSES) * STEPS)[:, None, None]
    return weights


def seal(name: str, payload: bytes, shape: tuple[int, ...], scheme: str) -> bytes:
    """Return the model file with its manifest and digest."""
    manifest = Manifest(
        name="tiny",
        format=name,
        task="image-classification",
        input=TensorSpec("image", shape, "float32", "NCHW" if shape[1] == 1 else "NHWC"),
        output=TensorSpec("scores", (1, CLASSES), "float32", "NC"),
        labels=tuple("abcd"),
        preprocess=PreprocessSpec(SIDE, SIDE),
        quantization=Quantization(scheme, None),
        requirements=Requirements(),
        created=Created("edge-toolkit", "", "none"),
    )
    return artifacts.pack(FOLDER / name, payload, manifest).data


def tflite(*, integers: bool) -> bytes:
    """Return the network for TFLite, in operator versions that the oldest engine knows."""
    from ai_edge_litert import schema_py_generated as tfl

    buffers, tensors = [tfl.BufferT()], []
    codes, operators = [], []

    def tensor(name, shape, kind, values=None, scale=None, zero=0):
        made = tfl.TensorT()
        made.name, made.shape, made.type = name, list(shape), kind
        if values is not None:
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            buffers.append(buffer)
            made.buffer = len(buffers) - 1
        if scale is not None:
            made.quantization = tfl.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero]
        tensors.append(made)
        return len(tensors) - 1

    def operator(builtin, version, inputs, output, kind=0, options=None):
        code = tfl.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, builtin, version
        codes.append(code)
        made = tfl.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(codes) - 1, inputs, [output]
        made.builtinOptionsType, made.builtinOptions = kind, options
        operators.append(made)

    real, int8, int32 = tfl.TensorType.FLOAT32, tfl.TensorType.INT8, tfl.TensorType.INT32
    op, kinds = tfl.BuiltinOperator, tfl.BuiltinOptions
    image = tensor("image", (1, SIDE, SIDE, 1), real)
    kernels = tensor("filters", (FILTERS, 3, 3, 1), real, filters())
    nothing = tensor("no bias", (FILTERS,), real, np.zeros(FILTERS, np.float32))
    features = tensor("features", (1, 2, 2, FILTERS), real)
    conv = tfl.Conv2DOptionsT()
    conv.padding, conv.strideH, conv.strideW = tfl.Padding.VALID, 1, 1
    conv.dilationHFactor = conv.dilationWFactor = 1
    conv.fusedActivationFunction = tfl.ActivationFunctionType.RELU
    operator(op.CONV_2D, 1, [image, kernels, nothing], features, kinds.Conv2DOptions, conv)
    weights = dense().reshape(CLASSES, -1)
    fully = tfl.FullyConnectedOptionsT()
    if integers:
        whole = tensor("whole", (1, 2, 2, FILTERS), int8, None, FEATURE_SCALE, FEATURE_ZERO)
        operator(op.QUANTIZE, 1, [features], whole, kinds.QuantizeOptions, tfl.QuantizeOptionsT())
        matrix = tensor("weights", weights.shape, int8, weights, WEIGHT_SCALE)
        bias = tensor("bias", (CLASSES,), int32, np.zeros(CLASSES, np.int32), WEIGHT_SCALE / 255)
        sums = tensor("sums", (1, CLASSES), int8, None, LOGIT_SCALE)
        parts = [whole, matrix, bias]
        operator(op.FULLY_CONNECTED, 4, parts, sums, kinds.FullyConnectedOptions, fully)
        logits = tensor("logits", (1, CLASSES), real)
        kind = kinds.DequantizeOptions
        operator(op.DEQUANTIZE, 2, [sums], logits, kind, tfl.DequantizeOptionsT())
    else:
        matrix = tensor(
            "weights", weights.shape, real, weights.astype(np.float32) * np.float32(WEIGHT_SCALE)
        )
        bias = tensor("bias", (CLASSES,), real, np.zeros(CLASSES, np.float32))
        logits = tensor("logits", (1, CLASSES), real)
        parts = [features, matrix, bias]
        operator(op.FULLY_CONNECTED, 1, parts, logits, kinds.FullyConnectedOptions, fully)
    scores = tensor("scores", (1, CLASSES), real)
    softmax = tfl.SoftmaxOptionsT()
    softmax.beta = 1.0
    operator(op.SOFTMAX, 1, [logits], scores, kinds.SoftmaxOptions, softmax)
    return _flatbuffer(tfl, buffers, tensors, codes, operators, image, scores)


def _flatbuffer(tfl, buffers, tensors, codes, operators, image, scores) -> bytes:
    import flatbuffers

    graph = tfl.SubGraphT()
    graph.tensors, graph.operators = tensors, operators
    graph.inputs, graph.outputs, graph.name = [image], [scores], "main"
    model = tfl.ModelT()
    model.version, model.operatorCodes = 3, codes
    model.subgraphs, model.buffers = [graph], buffers
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def onnx(*, integers: bool) -> bytes:
    """Return the network for ONNX, opset 13."""
    from onnx import TensorProto, checker, helper, numpy_helper

    matrix = dense().transpose(2, 1, 0).reshape(FILTERS * PLACES, CLASSES)  # NCHW: filters first
    constants = {"filters": filters().transpose(0, 3, 1, 2)}
    nodes = [
        helper.make_node("Conv", ["image", "filters"], ["sums"]),
        helper.make_node("Relu", ["sums"], ["features"]),
    ]

    def quantized(name, scale, zero):
        constants[f"{name} scale"] = np.array(scale, np.float32)
        constants[f"{name} zero"] = np.array(zero, np.int8)
        return [f"{name} scale", f"{name} zero"]

    if integers:
        feature = quantized("feature", FEATURE_SCALE, FEATURE_ZERO)
        weight, logit = quantized("weight", WEIGHT_SCALE, 0), quantized("logit", LOGIT_SCALE, 0)
        constants["weights"] = matrix
        nodes += [
            helper.make_node("QuantizeLinear", ["features", *feature], ["whole"]),
            helper.make_node("DequantizeLinear", ["whole", *feature], ["again"]),
            helper.make_node("Flatten", ["again"], ["flat"]),
            helper.make_node("QuantizeLinear", ["flat", *feature], ["flat whole"]),
            helper.make_node("DequantizeLinear", ["flat whole", *feature], ["row"]),
            helper.make_node("DequantizeLinear", ["weights", *weight], ["matrix"]),
            helper.make_node("MatMul", ["row", "matrix"], ["product"]),
            helper.make_node("QuantizeLinear", ["product", *logit], ["product whole"]),
            helper.make_node("DequantizeLinear", ["product whole", *logit], ["logits"]),
        ]
    else:
        constants["matrix"] = matrix.astype(np.float32) * np.float32(WEIGHT_SCALE)
        nodes += [
            helper.make_node("Flatten", ["features"], ["row"]),
            helper.make_node("MatMul", ["row", "matrix"], ["logits"]),
        ]
    nodes.append(helper.make_node("Softmax", ["logits"], ["scores"], axis=1))
    real = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", real, (1, 1, SIDE, SIDE))],
        [helper.make_tensor_value_info("scores", real, (1, CLASSES))],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    checker.check_model(model)
    return model.SerializeToString()


def files() -> dict[str, bytes]:
    """Return what is shipped: file name to bytes."""
    nhwc, nchw = (1, SIDE, SIDE, 1), (1, 1, SIDE, SIDE)
    return {
        "tiny.tflite": seal("tiny.tflite", tflite(integers=True), nhwc, "int8"),
        "tiny.onnx": seal("tiny.onnx", onnx(integers=True), nchw, "int8"),
        "tiny-float.tflite": seal("tiny-float.tflite", tflite(integers=False), nhwc, "float32"),
        "tiny-float.onnx": seal("tiny-float.onnx", onnx(integers=False), nchw, "float32"),
    }


if __name__ == "__main__":
    for file, data in files().items():
        (FOLDER / file).write_bytes(data)
