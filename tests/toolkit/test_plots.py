"""Pictures of a training."""

import numpy as np
import pytest
from PIL import Image

from toolkit.evaluation.figures import plot_confusion
from toolkit.evaluation.metrics import evaluate
from toolkit.plots import plot_history

ROW = {"loss": 0.5, "accuracy": 0.8, "learning_rate": 0.001, "seconds": 1.0}
VALIDATED = ROW | {"val_loss": 0.6, "val_accuracy": 0.7}


def colors(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        return len(image.convert("RGB").getcolors(1 << 24))


@pytest.mark.parametrize("history", [[ROW], [ROW] * 3, [VALIDATED] * 3])
def test_curves_with_and_without_validation(tmp_path, history):
    plot_history(history, tmp_path / "curves.png")
    assert colors(tmp_path / "curves.png") > 10


@pytest.mark.parametrize("classes", [2, 10, 25])
def test_a_confusion_matrix_of_any_size(tmp_path, rng, classes):
    truth = rng.integers(0, classes, 200)
    labels = tuple(f"class {index}" for index in range(classes))
    scores = rng.random((200, classes), dtype=np.float32)
    plot_confusion(evaluate(scores, truth, labels), tmp_path / "new" / "matrix.png")
    assert colors(tmp_path / "new" / "matrix.png") > 10


def test_class_names_in_a_script_without_font_bring_no_warning(tmp_path, rng, capfd):
    scores = rng.random((20, 2), dtype=np.float32)
    plot_confusion(evaluate(scores, np.arange(20) % 2, ("日本", "other")), tmp_path / "m.png")
    assert colors(tmp_path / "m.png") > 10
    assert capfd.readouterr().err == ""
