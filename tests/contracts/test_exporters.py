"""What every export format must keep; a new format is tested here without a new line."""

from dataclasses import replace

import numpy as np
import pytest

import runtime
from exporters import formats
from exporters.check import agreement
from exporters.request import ExportRequest
from runtime.errors import ExportError, ParityError
from runtime.modelfile import artifact as artifacts
from toolkit.datasets import DataOptions
from toolkit.export.request import ExportOptions, build_request
from toolkit.trained_model import resolve

FORMATS = formats.registry()
TFLITE = [name for name, exporter in FORMATS.items() if exporter.suffix == ".tflite"]
ONNX = [name for name, exporter in FORMATS.items() if exporter.suffix == ".onnx"]
CALIBRATED = [name for name, exporter in FORMATS.items() if exporter.needs_calibration]
FEW = {"tflite-int16x8": 8}  # reference kernels: test images that are enough


@pytest.fixture(params=list(FORMATS))
def name(request):
    return request.param


@pytest.fixture
def exporter(name):
    return FORMATS[name]


@pytest.fixture
def file(name, exports):
    return artifacts.read(exports[name])


@pytest.fixture(scope="module")
def rgb_request(rgb_model, tmp_path_factory) -> ExportRequest:
    """The request that ``toolkit export colors.keras --data colors.npz --scale 1`` makes."""
    from toolkit.trained_model import Overrides

    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    options = ExportOptions((), tmp_path_factory.mktemp("out"))
    return build_request(trained, options, calibrate=True)


@pytest.fixture(scope="module")
def drafts(rgb_request):
    """The RGB model converted to every format, unchecked: artifact by format name."""
    return {name: exporter().draft(rgb_request) for name, exporter in FORMATS.items()}


@pytest.fixture(scope="module")
def rgb_exports(rgb_request, drafts):
    """The same, checked and written."""
    return {name: exporter().write(rgb_request, drafts[name]) for name, exporter in FORMATS.items()}


@pytest.fixture
def converted(name, exporter, drafts):
    """The format with its conversion already done: what follows it is tested."""

    class Converted(exporter):
        def draft(self, request):
            return replace(drafts[name], path=request.out / drafts[name].path.name)

    return Converted()


def files_below(folder):
    return list(folder.rglob("*")) if folder.exists() else []


def test_the_class_says_what_it_is(name, exporter):
    assert exporter.name == name
    assert exporter.suffix in (".tflite", ".onnx")
    assert exporter.scheme
    assert exporter.variant


def test_names_of_files_are_unique():
    names = {(exporter.variant, exporter.suffix) for exporter in FORMATS.values()}
    assert len(names) == len(FORMATS)


def test_the_file_is_named_name_variant_suffix(file, exporter):
    assert file.path.name == f"digits-cnn.{exporter.variant}{exporter.suffix}"


def test_the_file_reads_back_whole(file):
    assert file.integrity == artifacts.SEALED


def test_the_manifest_is_complete(file, name, exporter, digits, digits_run):
    manifest = file.manifest
    assert (manifest.name, manifest.format) == ("digits-cnn", name)
    assert manifest.task == "image-classification"
    assert manifest.labels == digits.labels
    assert manifest.preprocess == digits.spec
    assert manifest.quantization.scheme == exporter.scheme
    assert (manifest.quantization.calibration is not None) == exporter.needs_calibration
    assert manifest.requirements.operators
    assert manifest.requirements.engines
    assert manifest.created.tool.startswith("edge-toolkit ")
    assert manifest.created.dataset == "digits"
    assert len(manifest.created.source_sha256) == 64
    assert {"python", "keras"} <= set(manifest.created.versions)
    assert manifest.scores == "probabilities"
    assert manifest.schema_version == 1


def test_the_manifest_holds_the_measured_accuracy(file, exporter):
    accuracy = file.manifest.accuracy
    assert accuracy.dataset == "digits test images"
    assert accuracy.images == exporter.check_images
    assert accuracy.reference > 0.8
    assert accuracy.artifact == pytest.approx(accuracy.reference, abs=0.02)
    assert accuracy.max_abs_error <= exporter.budget.max_abs_error


@pytest.mark.parametrize("name", CALIBRATED)
def test_the_calibration_is_recorded(file):
    record = file.manifest.quantization.calibration
    assert record.dataset == "digits training images"
    assert (record.samples, record.seed, record.method) == (512, 0, "min-max")
    assert len(record.indices_sha256) == 64


def test_the_engine_answers_as_keras_does(name, exporter, exports, trained):
    count = FEW.get(name)
    images = trained.dataset.x_test[:count]
    expected = trained.source.predict(trained.spec.apply(images))
    with runtime.load(exports[name]) as classifier:
        answers = classifier.predict_batch(images)
    found = agreement(expected, answers, exporter.budget.tie_margin)
    assert found.max_abs_error <= exporter.budget.max_abs_error
    assert found.same_or_tie >= exporter.budget.min_agreement


def test_logits_and_rgb_survive_too(name, exporter, rgb_exports, rgb_request, rgb_model):
    file = rgb_exports[name]
    assert file.manifest.scores == "logits"
    with np.load(rgb_model / "colors.npz") as data:
        images = data["x_test"]
    with runtime.load(file.path) as classifier:
        answers = classifier.predict_batch(images)
    expected = rgb_request.source.predict(rgb_request.spec.apply(images))
    assert answers.sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert np.abs(answers - expected).max() <= exporter.budget.max_abs_error


def test_exporting_twice_gives_the_same_bytes(exporter, name, rgb_exports, rgb_request, tmp_path):
    again = exporter().export(replace(rgb_request, out=tmp_path))
    assert again.data == rgb_exports[name].data


def test_tensors_of_quantized_files(file, name):
    manifest = file.manifest
    if name == "tflite-int8":
        assert manifest.input.dtype == manifest.output.dtype == "int8"
        assert manifest.input.scale == pytest.approx(1 / 255, rel=0.02)
        assert manifest.output.scale == pytest.approx(1 / 256)
    else:
        assert manifest.input.dtype == manifest.output.dtype == "float32"


def test_a_batch_is_one_in_tflite_and_free_in_onnx(file, exporter):
    batch = 1 if exporter.suffix == ".tflite" else -1
    assert file.manifest.input.shape == (batch, 28, 28, 1)
    assert file.manifest.output.shape == (batch, 10)


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_files_are_static_and_need_builtin_operators_only(file):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(file.data, 0)
    custom = schema.BuiltinOperator.CUSTOM
    assert all(custom not in (c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            assert tensor.shapeSignature is None or -1 not in tensor.shapeSignature
    assert not any(name == "SHAPE" for name in file.manifest.requirements.operators)


def load_onnx(file):
    import onnx

    return onnx.load_model_from_string(file.data)


def transposes(file):
    return [node for node in load_onnx(file).graph.node if node.op_type == "Transpose"]


@pytest.mark.parametrize("name", ONNX)
def test_onnx_files_pass_the_checker(file):
    import onnx

    model = load_onnx(file)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert [i.name for i in model.graph.input] == ["image"]
    assert [o.name for o in model.graph.output] == ["scores"]


@pytest.mark.parametrize("name", ONNX)
def test_onnx_files_hold_no_needless_transpose(file, name, rgb_exports):
    assert not transposes(file)
    assert len(transposes(rgb_exports[name])) <= 1


def test_without_calibration_a_quantized_format_says_what_it_needs(
    name, exporter, rgb_request, tmp_path
):
    request = replace(rgb_request, calibration=None, out=tmp_path / "out")
    if exporter.needs_calibration:
        with pytest.raises(ExportError, match=f"format {name} needs calibration images: --data"):
            exporter().export(request)
        assert not files_below(tmp_path)
    else:
        assert exporter().export(request).path.is_file()


def test_a_file_that_answers_differently_is_not_written(exporter, converted, rgb_request, tmp_path):
    """Other images than those that the engine gets stand for a wrong conversion."""
    request = replace(rgb_request, graphs=inverted(rgb_request.graphs), out=tmp_path / "out")
    with pytest.raises(ParityError, match="not written") as found:
        converted.export(request)
    assert not files_below(tmp_path)
    assert "export it with --force, then toolkit diagnose" in str(found.value)
    assert ("--max-drop" in str(found.value)) == exporter.mixed


def test_a_refused_file_can_be_forced_and_says_so(converted, rgb_request, tmp_path):
    request = replace(rgb_request, graphs=inverted(rgb_request.graphs), out=tmp_path, force=True)
    file = artifacts.read(converted.export(request).path)
    assert "another label than Keras" in file.manifest.quantization.refusal
    assert file.manifest.accuracy.agreement < 0.9


def test_a_file_that_passes_is_not_marked_by_force(converted, rgb_request, tmp_path):
    file = converted.export(replace(rgb_request, out=tmp_path, force=True))
    assert file.manifest.quantization.refusal is None


class Changed:
    """An object of which some attributes are others."""

    def __init__(self, original, **attributes):
        self.__dict__.update(attributes, _original=original)

    def __getattr__(self, name):
        return getattr(self._original, name)


def inverted(graphs):
    """The same graphs beside a Keras model that predicts the classes in the wrong order."""
    predict = graphs.source.predict
    source = Changed(graphs.source, predict=lambda batch: predict(batch)[:, ::-1])
    return Changed(graphs, source=source)


def test_a_file_that_cannot_be_written_leaves_nothing(
    converted, rgb_request, tmp_path, monkeypatch
):
    from pathlib import Path

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        converted.export(replace(rgb_request, out=tmp_path / "out"))
    assert not [path for path in files_below(tmp_path) if path.is_file()]


def test_an_older_file_survives_a_failed_export(name, converted, rgb_request, drafts, tmp_path):
    path = tmp_path / drafts[name].path.name
    path.write_bytes(b"older")
    request = replace(rgb_request, graphs=inverted(rgb_request.graphs), out=tmp_path)
    with pytest.raises(ParityError):
        converted.export(request)
    assert path.read_bytes() == b"older"
    assert files_below(tmp_path) == [path]
