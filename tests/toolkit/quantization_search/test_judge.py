"""The search for settings: its order, its end, and real models that need it."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.calibration import CalibrationOptions
from exporters.formats import registry
from exporters.keras_model.source import KerasSource
from runtime.errors import InputError, ParityError
from runtime.modelfile import artifact as artifacts
from toolkit.export.attempts import HEADING, Attempt, SearchRecord, best, failure, points
from toolkit.export.request import ExportOptions
from toolkit.quantization_search import search as search_module
from toolkit.quantization_search.judge import Judge
from toolkit.quantization_search.search import Search, SearchOptions, export_within, search


def attempt(what="plain", drop=0.0, agreement=1.0, *, passes=True, floats=(), size=1000):
    reasons = () if passes else (f"{drop:.2f} points lost (limit 0.1)",)
    return Attempt(what, drop, agreement, 0.0, passes, reasons, size, 1.0, 1.0, float_layers=floats)


class Scripted(Search):
    """A search over made-up layers that passes from a number of them on."""

    def __init__(self, layers, needed):
        super().__init__(SimpleNamespace(), SimpleNamespace())
        self.layers, self.needed, self.tried = layers, needed, []
        self.plain = self.nearest = SimpleNamespace(attempt=attempt())

    def _worst_first(self, base):
        return list(range(self.layers))

    def _try_float(self, base, layers):
        self.tried.append(len(layers))
        found = attempt(passes=len(layers) >= self.needed, floats=tuple(map(str, layers)))
        return SimpleNamespace(attempt=found)


@given(st.integers(1, 60), st.integers(1, 60))
def test_the_fewest_layers_are_found_in_few_tries(layers, needed):
    scripted = Scripted(layers, needed)
    found = scripted._in_float()
    if needed >= layers:  # one layer always stays quantized
        assert found is None
    else:
        assert len(found.attempt.float_layers) == needed
    assert len(scripted.tried) <= 2 * math.log2(layers + 1) + 1
    assert max(scripted.tried, default=0) < max(layers, 1)


def test_the_nearest_is_first_within_the_drop_then_agrees_most():
    rows = (attempt("a", 0.5), attempt("b", 0.1, 0.9), attempt("c", -2.0, 0.8))
    assert best(rows, 0.2).what == "b"
    assert best(rows[:1], 0.2).what == "a"


def test_a_failure_is_one_line_that_names_the_nearest():
    text = failure("tflite-int8", 0.1, "60 images", (attempt("plain", 3, passes=False),) * 2)
    assert text.startswith("tflite-int8: none of 2 settings stays within 0.1 points")
    assert "Nearest: plain, 3.00 points lost" in text
    assert "\n" not in text


def test_lines_fit_80_columns_and_zero_has_no_sign():
    line = str(attempt("2,048 images + 123 in float", -100, size=99_999_999))
    assert len(line) <= 80
    assert len(HEADING) <= 80
    assert points(-0.0001) == "0.00"


def test_the_cost_is_reported_against_the_plain_file():
    plain, chosen = attempt(drop=2.0, passes=False), attempt("x", 0.1, floats=("conv",), size=1500)
    record = SearchRecord("f", 0.2, "d", 10, (plain, chosen), chosen)
    assert "loses 0.10 points, plain 2.00. Cost against plain: +50.0 % bytes" in str(record)
    assert "In float: conv." in str(record)
    assert record.to_json()["bytes_ratio"] == 1.5
    assert "no other settings were needed" in str(replace(record, chosen=plain))


@pytest.mark.parametrize("drop", [-0.1, 101, math.nan])
def test_a_drop_out_of_range_is_refused(drop):
    with pytest.raises(InputError, match="--max-drop is in points of accuracy"):
        SearchOptions(ExportOptions(()), drop)


def test_a_drop_cannot_be_forced():
    with pytest.raises(InputError, match="choose one"):
        SearchOptions(ExportOptions((), force=True), 0.1)


@pytest.fixture(scope="module")
def hard(trained, tmp_path_factory):
    """The same function as the trained model, with channels of very different size.

    ReLU lets a factor through: what the first convolution gains the second one loses.
    """
    import keras

    model = keras.models.clone_model(trained.source.model)
    model.set_weights(trained.source.model.get_weights())
    first, second = [layer for layer in model.layers if layer.weights][:2]
    factors = np.random.default_rng(0).permutation(np.geomspace(1, 1e5, 32)).astype(np.float32)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factors, bias * factors])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / factors[:, None], bias])
    source = KerasSource(model, trained.source.path, "0" * 64)
    return replace(trained, source=source, exports=tmp_path_factory.mktemp("hard"))


@pytest.mark.parametrize("name", ["tflite-int8", pytest.param("onnx-int8", marks=pytest.mark.slow)])
def test_a_model_that_int8_ruins_is_repaired_by_a_search(hard, name, tmp_path, monkeypatch):
    measure = search_module.measure_interleaved
    monkeypatch.setattr(search_module, "measure_interleaved", lambda runs, _: measure(runs, 0.02))
    plainly = ExportOptions((name,), tmp_path, CalibrationOptions(64))
    (found,) = export_within(hard, SearchOptions(plainly, 1.0))
    artifact, record = found.artifact, found.search
    plain, chosen = record.attempts[0], record.chosen
    assert (plain.what, plain.passes, chosen.passes) == ("plain", False, True)
    assert plain.accuracy_drop > 10
    assert chosen.accuracy_drop <= 1.0
    assert [a.passes for a in record.attempts].count(True) >= 1
    assert 1 <= len(chosen.float_layers) <= 3
    assert {"conv2d", "conv2d_1"} & set(chosen.float_layers)
    assert chosen.bytes > plain.bytes
    read = artifacts.read(artifact.path).manifest.quantization
    assert read.float_layers == chosen.float_layers
    assert read.refusal is None
    assert len(artifact.data) > chosen.bytes


def test_a_model_that_needs_nothing_is_written_plain(trained, exports, tmp_path):
    options = SearchOptions(ExportOptions(("tflite-int8",), tmp_path), 5.0)
    (found,) = export_within(trained, options)
    artifact, record = found.artifact, found.search
    assert [a.what for a in record.attempts] == ["plain"]
    assert record.chosen.float_layers == ()
    plain = artifacts.read(exports["tflite-int8"])
    assert artifact.data[: record.chosen.bytes] == plain.data[: record.chosen.bytes]


def test_nothing_is_written_where_nothing_helps(hard, tmp_path):
    """Dynamic range leaves nothing to search."""
    options = ExportOptions(("tflite-dynamic",), tmp_path / "out")
    exporter = registry()["tflite-dynamic"]()
    judge = Judge(hard, 0.0)
    judge._expected = judge._expected[:, ::-1]  # a reference that nothing reaches
    with pytest.raises(ParityError, match="tflite-dynamic: the file does not stay within 0 points"):
        search(judge, exporter, options)
    assert not (tmp_path / "out").exists()


def test_calibration_never_sees_the_images_it_is_judged_on(rgb_model):
    from toolkit.datasets import DataOptions
    from toolkit.trained_model import Overrides, resolve

    data = DataOptions(path=rgb_model / "colors.npz")
    bare = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    judge = Judge(bare, 0.1)
    assert "left out of the calibration" in judge.held_out.remark
    drawn = {image.tobytes() for image in bare.dataset.x_train[judge.trained.training]}
    assert not drawn & {image.tobytes() for image in judge.held_out.images}
