"""Every file in every engine, batch size and number of threads."""

import numpy as np
import pytest

from runtime.backends import for_suffix
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.errors import EdgeError, InputError
from runtime.modelfile import artifact as artifacts
from toolkit.parity import budget_for, matrix
from toolkit.parity.matrix import BATCHES, THREADS, engine_matrix


def cells_of(exports, trained, *names, count=70):
    files = [artifacts.read(exports[name]) for name in names]
    return engine_matrix(files, trained.dataset.x_test[:count], budget_for)


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "onnx", "onnx-int8"])
def test_the_labels_are_the_same_everywhere(exports, trained, name):
    cells = cells_of(exports, trained, name)
    installed = [b.name for b in for_suffix(exports[name].suffix) if b.installed()]
    expected = {(b, size, threads) for b in installed for size in BATCHES for threads in THREADS}
    assert {(cell.backend, cell.batch, cell.threads) for cell in cells} == expected
    assert all(cell.verdict == "pass" and cell.images == 70 for cell in cells)
    assert cells[0].max_difference == 0.0
    assert max(cell.max_difference for cell in cells) < 0.2


def test_a_refusal_is_shown_with_its_reason(exports, trained):
    from runtime.backends.tflite_runtime import TfliteRuntime

    try:
        TfliteRuntime.preload()
    except EdgeError as error:
        pytest.skip(f"tflite-runtime does not run here: {error}")
    cells = cells_of(exports, trained, "tflite-dynamic")
    (refused,) = [cell for cell in cells if cell.verdict == "refused"]
    assert refused.backend == "tflite-runtime"
    assert refused.batch is refused.max_difference is None
    assert "too old" in refused.reason


def test_slow_files_are_run_on_fewer_images(exports, trained, monkeypatch):
    """In one engine and one way: 20 ms an image."""
    monkeypatch.setattr(matrix, "BATCHES", (64,))
    monkeypatch.setattr(matrix, "THREADS", (1,))
    monkeypatch.setattr(matrix, "for_suffix", lambda suffix: for_suffix(suffix)[:1])
    cells = cells_of(exports, trained, "tflite-int16x8", count=100)
    assert [cell.images for cell in cells] == [64]


def test_an_engine_that_answers_otherwise_fails(exports, trained, monkeypatch):
    honest = OnnxRuntime.run_images

    def run(backend, images, spec):
        answers = honest(backend, images, spec)
        return np.roll(answers, 1, axis=1) if len(images) == 7 else answers

    monkeypatch.setattr(OnnxRuntime, "run_images", run)
    cells = cells_of(exports, trained, "onnx")
    failed = {cell.batch for cell in cells if cell.verdict == "fail"}
    assert failed == {7}
    assert any(cell.reason.startswith("other labels on ") for cell in cells)


def test_nothing_to_compare_is_an_error(exports, trained):
    with pytest.raises(InputError, match="nothing to compare"):
        cells_of(exports, trained)
