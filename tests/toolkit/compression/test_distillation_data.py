"""What a student learns from."""

import numpy as np
import pytest

from toolkit.compression.distillation_data import prepare
from toolkit.compression.options import CompressOptions
from toolkit.progress import SILENT
from toolkit.training.input_pipeline import Schedule

pytest.importorskip("tensorflow", reason="the workstation side is not installed")


@pytest.fixture(scope="module")
def data(trained):
    training, validation = trained.training[:60], trained.training[60:80]
    return prepare(trained, training, validation, CompressOptions(copies=2), SILENT)


def test_teacher_and_truth_have_their_shares(data, trained):
    chosen = trained.training[:60]
    originals = trained.dataset.x_train[chosen]
    np.testing.assert_array_equal(data.images[0], originals)
    assert data.images.shape == (3, 60, 28, 28, 1)
    teacher = trained.source.predict(trained.spec.apply(originals))
    truth = np.eye(10)[trained.dataset.y_train[chosen]]
    np.testing.assert_allclose(data.targets[0], 0.9 * teacher + 0.1 * truth, atol=1e-6)
    np.testing.assert_allclose(data.targets.sum(axis=2), 1, atol=1e-5)


def test_an_epoch_shows_each_image_once_in_some_copy(data):
    feed = data.epoch_batches(Schedule(2, 16, seed=5))
    first, again, second = (list(feed(n).as_numpy_iterator()) for n in (1, 1, 2))
    x = np.concatenate([batch for batch, _ in first])
    np.testing.assert_array_equal(x, np.concatenate([batch for batch, _ in again]))
    assert (x != np.concatenate([batch for batch, _ in second])).any()
    known = data.spec.apply(data.images.reshape(-1, 28, 28, 1)).reshape(3, 60, -1)
    found = sorted(
        next(n for n in range(60) if (known[:, n] == row.ravel()).all(axis=1).any()) for row in x
    )
    assert len(x) == 60
    assert len(set(found)) >= 59  # two images may be alike
