"""Every architecture of the registry: built, trained a little, exported, through the gate."""

import numpy as np
import pytest

from exporters import formats
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.errors import InputError
from toolkit.architectures import BuildOptions, registry
from toolkit.architectures.pretrained import Pretrained
from toolkit.datasets import DataOptions
from toolkit.progress import SILENT

pytest.importorskip("tensorflow", reason="the workstation side is not installed")
import_tensorflow()

# Those with pretrained weights need a download: test_pretrained.py.
NAMES = tuple(name for name, kind in registry().items() if not issubclass(kind, Pretrained))
SHAPES = ((28, 28, 1), (32, 32, 3))


def build(name, shape=(28, 28, 1), **options):
    return registry()[name]().build(BuildOptions(shape, 10, **options))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_with_probabilities(name, shape):
    model = build(name, shape)
    assert model.input_shape == (None, *shape)
    assert len(model.inputs) == 1
    rows = np.asarray(model(np.ones((2, *shape), np.float32)))
    assert rows.shape == (2, 10)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_the_weights(name):
    first, again, other = (build(name, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_valid_padding_is_honoured_or_refused(name):
    if "valid" in registry()[name].paddings:
        layers = build(name, (96, 96, 1), padding="valid").layers
        kernels = [layer for layer in layers if type(layer).__name__.endswith("Conv2D")]
        assert {layer.padding for layer in kernels} == {"valid"}
    else:
        with pytest.raises(InputError, match=f"{name} is not made for padding 'valid'. Known: sam"):
            build(name, padding="valid")


def trained_briefly(name, data, parent, limit):
    """Return a model after a short training."""
    from toolkit.trained_model import resolve
    from toolkit.training.options import TrainOptions
    from toolkit.training.train import train

    epochs = 20 if name == "mobilenet-small" else 5  # its averages of batch norm come slowly
    options = TrainOptions(
        architecture=name, epochs=epochs, batch_size=16, learning_rate=0.003, limit=limit
    )
    run = train(options, data, parent, SILENT).run
    return resolve(run.path, DataOptions())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["grey", "colour"])
@pytest.mark.parametrize("name", NAMES)
def test_every_format_passes_the_gate(name, kind, request, tmp_path):
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.parity.verify import VerifyOptions, verify

    data = DataOptions(name="digits")
    if kind == "colour":
        data = DataOptions(path=request.getfixturevalue("rgb_model") / "colors.npz")
    trained = trained_briefly(name, data, tmp_path, limit=400)
    files = [one.artifact for one in export(trained, ExportOptions(()))]
    assert {file.manifest.format for file in files} == set(formats.registry())
    report = verify(trained, VerifyOptions(tuple(file.path for file in files), limit=60))
    assert {
        entry.path: entry.reasons for entry in report.artifacts if entry.verdict != "pass"
    } == {}
    assert report.reference_accuracy > 2 / len(trained.labels)  # it has learned something
