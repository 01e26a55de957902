"""The sheet of flipped images."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from runtime.errors import InputError
from runtime.modelfile import artifact as artifacts
from toolkit.parity import Candidate, Reference, compare
from toolkit.parity.flips import write_flips

COUNT = 80


@pytest.fixture(scope="module")
def report(trained, exports):
    """Keras with two classes exchanged, so that many answers flip."""
    own = Reference.of(trained)

    def predict(batch):
        return own.predict(batch)[:, [1, 0, *range(2, 10)]]

    return compare(
        Reference(predict, own.spec, own.labels),
        [Candidate(artifacts.read(exports["tflite"])), Candidate(artifacts.read(exports["onnx"]))],
        trained.dataset.x_test[:COUNT],
        trained.dataset.y_test[:COUNT],
    )


def test_the_page_shows_each_flip_with_both_answers(report, trained, tmp_path):
    images = trained.dataset.x_test[:COUNT]
    page = write_flips(report, images, tmp_path / "flips").read_text()
    flips = report.artifacts[0].metrics.flips
    assert len(flips) > 5
    shown = re.findall(r'base64,([^"]+)" alt="image (\d+): Keras (\d), file (\d)"', page)
    assert len(shown) == 2 * len(flips)
    code, index, expected, answer = shown[0]
    assert (int(index), expected, answer) == (flips[0].image, flips[0].expected, flips[0].answer)
    with Image.open(io.BytesIO(base64.b64decode(code))) as picture:
        np.testing.assert_array_equal(np.asarray(picture), images[flips[0].image, ..., 0])
    assert 'src="http' not in page


def test_there_is_a_sheet_for_each_file_and_engine(report, trained, tmp_path):
    write_flips(report, trained.dataset.x_test[:COUNT], tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [
        "digits-cnn.float32.onnx.onnxruntime.png",
        "digits-cnn.float32.tflite.litert.png",
    ]
    with Image.open(tmp_path / names[0]) as picture:
        assert picture.width > 300


def test_a_folder_that_cannot_be_made_is_an_error(report, trained, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="cannot write to"):
        write_flips(report, trained.dataset.x_test, tmp_path / "taken")
