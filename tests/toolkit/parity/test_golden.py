"""Golden inputs: which are chosen, and that real engines pass and broken files fail on them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest

from exporters.formats import registry as formats
from runtime.backends import for_suffix
from runtime.errors import ArtifactError, BackendError, InputError, ParityError
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.manifest import Accuracy
from runtime.selftest import replay
from runtime.terminal.silence import silenced
from toolkit.export.export import export
from toolkit.export.request import ExportOptions
from toolkit.parity import budget_for
from toolkit.parity.golden import add_golden, seal

FORMATS = list(formats())


@dataclass(frozen=True)
class Outputs:
    """A file with its own and Keras's outputs for the test images."""

    artifact: artifacts.Artifact
    outputs: np.ndarray
    expected: np.ndarray
    images: np.ndarray
    truth: np.ndarray
    labels: tuple[str, ...]

    def add(self, **changes):
        found = replace(self, **changes)
        same = (found.outputs.argmax(1) == found.expected.argmax(1)).mean()
        accuracy = Accuracy(0.9, 0.8, float(same), 0.0, "digits test images", len(found.images))
        return add_golden(
            found.artifact,
            found.outputs,
            found.expected,
            found.images,
            found.truth,
            found.labels,
            accuracy,
            budget_for(found.artifact.manifest.format),
        )


IMAGES = 120  # of the test images; int16x8 takes 20 ms for each


def run(trained, expected, path, folder):
    copy = folder / path.name
    shutil.copy(path, copy)
    artifact = artifacts.read(copy)
    images, truth = trained.dataset.x_test[:IMAGES], trained.dataset.y_test[:IMAGES]
    with silenced(), from_artifact(artifact) as classifier:
        outputs = classifier.predict_batch(images)
    return Outputs(artifact, outputs, expected, images, truth, trained.labels)


@pytest.fixture(scope="module")
def measured(trained, exports, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    expected = trained.source.predict(trained.spec.apply(trained.dataset.x_test[:IMAGES]))
    return {name: run(trained, expected, path, folder) for name, path in exports.items()}


@pytest.fixture(scope="module")
def sealed(measured):
    return {name: file.add() for name, file in measured.items()}


def verdict(artifact, backend="auto"):
    with silenced(), from_artifact(artifact, backend) as classifier:
        return replay(classifier)


# What is written


@pytest.mark.parametrize("name", FORMATS)
def test_the_file_on_disk_has_them_and_is_otherwise_the_same(sealed, exports, name):
    before, after = artifacts.read(exports[name]), artifacts.read(sealed[name].path)
    golden = after.manifest.golden
    assert after.integrity == "sha256 verified"
    assert after.manifest.accuracy.dataset == golden.dataset == "digits test images"
    kept = replace(after.manifest, golden=None, accuracy=before.manifest.accuracy)
    assert kept == before.manifest
    assert artifacts.restate(after, before.manifest).data == before.data
    assert len(golden) == 20
    assert set(golden.expected.argmax(axis=1)) == set(range(10))


@pytest.mark.parametrize("name", FORMATS)
def test_every_engine_passes_on_every_format(sealed, name):
    seen = []
    for backend in for_suffix(sealed[name].suffix):
        if not backend.installed():
            continue
        try:
            report = verdict(sealed[name], backend.name)
        except BackendError:
            assert backend.name == "tflite-runtime"  # it does not take every file
            continue
        seen.append(backend.name)
        assert (report.verdict, report.reasons) == ("pass", ()), backend.name
        assert report.max_abs_error <= report.tolerance
    assert seen[0] in ("litert", "onnxruntime")


def test_sealing_twice_gives_the_same_file(measured):
    first = measured["tflite-int8"].add()
    assert measured["tflite-int8"].add(artifact=first).data == first.data


# What must fail


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("numbers", [{"scale": 1 / 64}, {"mean": (0.5,), "std": (0.5,)}])
def test_other_preprocessing_numbers_fail(sealed, name, numbers):
    manifest = sealed[name].manifest
    spec = replace(manifest.preprocess, **numbers)
    broken = artifacts.restate(sealed[name], replace(manifest, preprocess=spec))
    report = verdict(broken)
    assert report.verdict == "fail"
    assert report.max_abs_error > 0.1


@pytest.mark.parametrize("name", ["tflite-int8", "onnx"])
def test_permuted_labels_fail(sealed, name):
    manifest = replace(sealed[name].manifest, labels=tuple("0123456798"))
    report = verdict(artifacts.restate(sealed[name], manifest))
    (reason,) = report.reasons
    assert "class 8 is '9' and has to be '8'" in reason


def with_kernel(artifact, change):
    """Return a file in which the second convolution has other weights, sealed again."""
    payload = bytearray(artifacts.payload(artifact))
    change_kernel = _change_tflite if artifact.suffix == ".tflite" else _change_onnx
    return artifacts.pack(artifact.path, change_kernel(payload, change), artifact.manifest)


def _change_tflite(payload, change):
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(bytes(payload), 0)
    graph = model.Subgraphs(0)
    kinds = {0: np.float32, 1: np.float16, 9: np.int8}
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        if tensor.ShapeLength() == 4 and buffer.DataLength() > 5000:
            weights = buffer.DataAsNumpy().view(kinds[tensor.Type()])
            start = payload.find(weights.tobytes())
            payload[start : start + weights.nbytes] = (
                change(weights).astype(weights.dtype).tobytes()
            )
            return bytes(payload)
    raise AssertionError("no kernel")


def _change_onnx(payload, change):
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(bytes(payload))
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.ndim == 4 and weights.size > 5000:
            other = change(weights).astype(weights.dtype).reshape(weights.shape)
            tensor.CopyFrom(numpy_helper.from_array(other, tensor.name))
            return model.SerializeToString()
    raise AssertionError("no kernel")


@pytest.mark.parametrize("name", FORMATS)
def test_a_kernel_of_noise_fails(sealed, name, rng):
    report = verdict(with_kernel(sealed[name], lambda weights: rng.permutation(weights.ravel())))
    assert report.verdict == "fail"
    assert report.max_abs_error > report.tolerance


@pytest.mark.parametrize("name", ["tflite", "onnx"])
def test_weights_that_are_not_finite_fail(sealed, name):
    report = verdict(with_kernel(sealed[name], lambda weights: np.full(weights.shape, np.nan)))
    assert report.verdict == "fail"
    # ReLU turns NaN into 0 in one engine and not in another
    assert report.max_abs_error is None or report.max_abs_error > 0.1


# What is refused


def test_a_file_with_other_class_names_is_not_sealed(measured):
    with pytest.raises(ParityError, match=r"names its classes .* toolkit export"):
        measured["tflite"].add(labels=tuple("1023456789"))


def test_a_file_of_another_tool_is_not_sealed(measured):
    bare = replace(measured["tflite"].artifact, manifest=None)
    file = measured["tflite"]
    arrays = (file.outputs, file.expected, file.images, file.truth, file.labels)
    accuracy = file.artifact.manifest.accuracy
    with pytest.raises(ArtifactError, match="toolkit export"):
        add_golden(bare, *arrays, accuracy, budget_for("tflite"))


def test_a_file_that_is_too_far_from_keras_is_not_sealed(measured):
    file = measured["tflite"]
    with pytest.raises(ParityError, match="a probability is off by"):
        file.add(outputs=file.outputs * np.float32(0.9))


def test_a_file_that_never_agrees_is_not_sealed(measured):
    file = measured["tflite"]
    with pytest.raises(InputError, match="no image can be a golden input"):
        file.add(outputs=np.roll(file.outputs, 1, axis=1))


def test_golden_inputs_of_another_size_are_not_sealed(sealed, measured):
    manifest = sealed["tflite"].manifest
    taller = replace(manifest.preprocess, height=56)
    other = replace(measured["tflite"].artifact, manifest=replace(manifest, preprocess=taller))
    with pytest.raises(InputError, match="golden images are not 20 of 28x56"):
        seal(other, manifest.golden, manifest.accuracy)


# A colour model with logits


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "onnx-int8"])
def test_a_colour_model_passes_and_fails_as_it_should(rgb_model, tmp_path, name):
    from toolkit.datasets import DataOptions
    from toolkit.trained_model import Overrides, resolve

    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    (file,) = (one.artifact for one in export(trained, ExportOptions((name,), tmp_path)))
    (tmp_path / "copy").mkdir()
    expected = trained.source.predict(trained.spec.apply(trained.dataset.x_test))
    sealed = run(trained, expected, file.path, tmp_path / "copy").add()
    assert sealed.manifest.golden.pixels((32, 32, 3)).shape == (6, 32, 32, 3)
    assert verdict(sealed).verdict == "pass"
    spec = replace(sealed.manifest.preprocess, scale=1 / 255)
    manifest = replace(sealed.manifest, preprocess=spec)
    assert verdict(artifacts.restate(sealed, manifest)).verdict == "fail"
