"""What ``toolkit verify`` compares."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from runtime.backends import for_suffix
from runtime.errors import InputError, IntegrityError
from runtime.modelfile import artifact as artifacts
from toolkit.datasets import DataOptions
from toolkit.engines import ALL
from toolkit.export.export import export, read_exports
from toolkit.export.request import ExportOptions
from toolkit.parity.verify import VerifyOptions, verify
from toolkit.trained_model import Overrides, as_exported, resolve


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(InputError, match="--limit must be at least 1"):
        VerifyOptions(limit=limit)


def test_the_limit_is_kept(trained, exports):
    report = verify(trained, VerifyOptions((exports["tflite"],), limit=17))
    assert report.images == 17


def test_without_files_those_of_the_run_are_taken(trained, exports):
    found = read_exports(trained.exports)
    assert [file.manifest.format for file in found] == list(exports)


def test_without_any_file_it_says_how_to_make_some(trained, tmp_path):
    with pytest.raises(InputError, match="toolkit export --all"):
        verify(replace(trained, exports=tmp_path), VerifyOptions())


def test_all_installed_engines_are_asked(exports, trained):
    for name in ("tflite", "onnx"):
        path = exports[name]
        report = verify(trained, VerifyOptions((path,), backend=ALL, limit=4))
        installed = {engine.name for engine in for_suffix(path.suffix) if engine.installed()}
        assert {entry.backend for entry in report.artifacts} == installed


def test_a_damaged_file_is_never_run(trained, exports, tmp_path):
    data = bytearray(exports["tflite"].read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "damaged.tflite"
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"damaged\.tflite"):
        verify(trained, VerifyOptions((path,)))


@pytest.fixture(scope="module")
def scaled(rgb_model):
    """The user's model as it was trained."""
    data = DataOptions(path=rgb_model / "colors.npz")
    return resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))


@pytest.fixture(scope="module")
def file(scaled, tmp_path_factory):
    """Its export. Do not change it."""
    (made,) = export(scaled, ExportOptions(("tflite",), out=tmp_path_factory.mktemp("scaled")))
    return made.artifact


def test_a_bare_keras_file_is_run_as_its_exports_say(rgb_model, file):
    data = DataOptions(path=rgb_model / "colors.npz")
    bare = resolve(rgb_model / "colors.keras", data)
    assert bare.spec.scale != 1.0
    assert verify(bare, VerifyOptions((file.path,))).verdict == "pass"
    told = resolve(rgb_model / "colors.keras", data, Overrides(scale=0.001))
    assert verify(told, VerifyOptions((file.path,))).verdict == "fail"


def test_the_file_that_is_believed_is_named(rgb_model, exports, file):
    """It was the first file, though that one may be of another model."""
    data = DataOptions(path=rgb_model / "colors.npz")
    said = []
    reporter = SimpleNamespace(say=said.append)
    files = (artifacts.read(exports["tflite"]), file)
    found = as_exported(resolve(rgb_model / "colors.keras", data), files, reporter)
    assert found.spec.scale == 1.0
    assert said == ["Options left out for the Keras model are taken from colors.float32.tflite"]


def test_labels_in_another_order_are_taken_from_the_export_too(rgb_model, tmp_path):
    data = DataOptions(path=rgb_model / "colors.npz")
    keras = rgb_model / "colors.keras"
    plain = resolve(keras, data, Overrides(scale=1.0))
    labels = plain.labels[1:] + plain.labels[:1]
    turned = resolve(keras, data, Overrides(scale=1.0, labels=labels))
    (file,) = (one.artifact for one in export(turned, ExportOptions(("tflite",), out=tmp_path)))
    for stated in (Overrides(), Overrides(labels=labels), Overrides(scale=1.0)):
        report = verify(resolve(keras, data, stated), VerifyOptions((file.path,)))
        assert report.verdict == "pass"
        whole = file.manifest.accuracy
        assert report.reference_accuracy == pytest.approx(whole.reference, abs=0.2)


def test_files_that_do_not_agree_on_preprocessing_are_refused(rgb_model, scaled, file, tmp_path):
    """Nobody says which one the bare Keras model was trained with."""
    data = DataOptions(path=rgb_model / "colors.npz")
    other = tmp_path / "other.tflite"
    spec = replace(file.manifest.preprocess, scale=0.5)
    other.write_bytes(artifacts.restate(file, replace(file.manifest, preprocess=spec)).data)
    bare = resolve(rgb_model / "colors.keras", data)
    with pytest.raises(InputError, match="do not agree on labels or preprocessing"):
        verify(bare, VerifyOptions((file.path, other)))
    report = verify(scaled, VerifyOptions((file.path, other)))
    assert [entry.verdict for entry in report.artifacts] == ["pass", "fail"]


def test_a_keras_model_at_chance_is_reported(rgb_model, tmp_path):
    """The scale is wrong for both, so they agree; the accuracy shows it."""
    data = DataOptions(path=rgb_model / "colors.npz")
    wrong = resolve(rgb_model / "colors.keras", data, Overrides(scale=1e-5))
    (file,) = (one.artifact for one in export(wrong, ExportOptions(("tflite",), out=tmp_path)))
    report = verify(wrong, VerifyOptions((file.path,)))
    assert any("the Keras model itself is right on only" in note for note in report.all_notes)
