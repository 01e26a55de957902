"""Training images move; validation images, the model and its files do not."""

import dataclasses

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")

from exporters.tflite.graph import operators  # noqa: E402
from toolkit.datasets import DataOptions  # noqa: E402
from toolkit.export.export import export  # noqa: E402
from toolkit.export.request import ExportOptions  # noqa: E402
from toolkit.progress import SILENT  # noqa: E402
from toolkit.trained_model import resolve  # noqa: E402
from toolkit.training.augmentation import Augmented, CopyTransforms, Transforms  # noqa: E402
from toolkit.training.augmentation import transformed as copied  # noqa: E402
from toolkit.training.input_pipeline import Schedule  # noqa: E402
from toolkit.training.options import TrainOptions  # noqa: E402
from toolkit.training.train import train, training_data  # noqa: E402

SCHEDULE = Schedule(2, 50, 3)
STILL = CopyTransforms(0, 0, 0, 0)


@pytest.fixture(scope="module")
def plain(digits):
    return training_data(digits.limited(120), TrainOptions(seed=3))


def images(data, epoch, schedule=SCHEDULE):
    return np.concatenate([np.asarray(x) for x, _ in data.epoch_batches(schedule)(epoch)])


def transformed(plain, **changes):
    return Augmented(
        plain, Transforms(**({"rotate": 10, "shift": 0.1, "zoom": 0.1, "seed": 3} | changes))
    )


def test_each_epoch_moves_anew_and_the_seed_repeats_it(plain):
    data = transformed(plain)
    first = images(data, 1)
    assert first.shape == plain.x.shape
    assert np.abs(first - images(plain, 1)).max() > 0.2
    np.testing.assert_array_equal(first, images(transformed(plain), 1))
    assert np.abs(images(transformed(plain, seed=4), 1) - first).max() > 0.2
    again = images(data, 2)
    assert np.abs(again - images(plain, 2)).max() > 0.2


def test_without_any_way_to_go_nothing_moves(plain):
    still = transformed(plain, rotate=0, shift=0, zoom=0)
    np.testing.assert_allclose(images(still, 1), images(plain, 1), atol=1e-5)


def test_ink_stays_within_reach(plain):
    """A shift of a tenth moves the centre of mass by a tenth of the side at most."""
    side = plain.x.shape[1]
    places = np.arange(side)

    def centres(batch):
        mass = batch.sum(axis=(1, 2, 3))
        rows = (batch.sum(axis=(2, 3)) * places).sum(axis=1) / mass
        return rows, (batch.sum(axis=(1, 3)) * places).sum(axis=1) / mass

    after = centres(images(transformed(plain, rotate=0, zoom=0), 1))
    before = centres(images(plain, 1))
    for ours, theirs in zip(after, before, strict=True):
        assert 0.5 < np.abs(ours - theirs).max() < 0.1 * side + 0.6


def test_validation_and_number_of_images_are_those_of_the_data(plain):
    data = transformed(plain)
    assert len(data) == len(plain)
    assert data.x_validation is plain.x_validation
    assert data.y_validation is plain.y_validation


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_neither_model_nor_export_holds_it(tmp_path, precision):
    data = DataOptions(name="digits")
    changes = {"architecture": "small_network:build", "epochs": 1, "limit": 80}
    options = TrainOptions(**changes, augment=True, rotate=20, precision=precision)
    run = train(options, data, tmp_path, SILENT).run
    model = keras.models.load_model(run.model)
    assert not any("Random" in type(layer).__name__ for layer in model.layers)
    (file,) = export(resolve(run.path, data), ExportOptions(("tflite",)), SILENT)
    kinds = set(operators(file.artifact.data, file.format))
    assert kinds <= {"CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"}
    assert run.config["options"]["rotate"] == 20


def test_a_copy_does_not_move_without_a_reason(digits):
    np.testing.assert_array_equal(copied(digits.x_test[:20], STILL, (0,)), digits.x_test[:20])


def test_the_same_seed_moves_copies_the_same_way(digits):
    images = digits.x_test[:20]
    first, again, other = (copied(images, CopyTransforms(), (seed,)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert not (first == images).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize(
    ("moves", "most"),
    [(dataclasses.replace(STILL, shift=0.1), 2.8), (dataclasses.replace(STILL, zoom=0.1), 1.4)],
)
def test_a_copy_moves_no_further_than_it_may(moves, most):
    """A dot in a corner of the middle: where is its mass afterwards?"""
    images = np.zeros((200, 28, 28, 1), np.uint8)
    images[:, 8:10, 8:10] = 255
    found = copied(images, moves, (0,)).astype(float)[..., 0]
    rows = (found * np.arange(28)[None, :, None]).sum(axis=(1, 2)) / found.sum(axis=(1, 2))
    assert 0.4 < np.abs(rows - 8.5).max() <= most + 0.1
