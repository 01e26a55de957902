"""The small MobileNet: its shape, and its way through the converters."""

import numpy as np
import pytest

from runtime.errors import InputError
from toolkit.architectures import BuildOptions, registry


def build(shape=(28, 28, 1), **options):
    return registry()["mobilenet-small"]().build(BuildOptions(shape, 10, **options))


@pytest.mark.parametrize(("shape", "parameters"), [((28, 28, 1), 44_842), ((32, 32, 3), 45_130)])
def test_it_is_built_for_small_grey_and_colour_images(shape, parameters):
    model = build(shape)
    assert model.count_params() == parameters
    rows = np.asarray(model(np.zeros((2, *shape), np.float32)))
    assert rows.shape == (2, 10)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)


def test_it_is_made_of_depthwise_convolutions_batch_norm_and_relu6():
    kinds = [type(layer).__name__ for layer in build().layers]
    assert kinds.count("DepthwiseConv2D") == 6
    assert kinds.count("BatchNormalization") == 19
    assert kinds.count("Add") == 4
    assert {layer.max_value for layer in build().layers if type(layer).__name__ == "ReLU"} == {6.0}


def test_the_same_seed_gives_the_same_dropout():
    assert build(seed=3).get_layer("dropout").seed == 3


def test_images_that_are_too_small_for_valid_padding_are_refused():
    with pytest.raises(InputError, match="cannot be built for 5x5 images with padding 'valid'"):
        build((5, 5, 1), padding="valid")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two epochs on the digits."""
    from exporters.keras_model.tensorflow_setup import import_tensorflow
    from toolkit.datasets import DataOptions
    from toolkit.progress import SILENT
    from toolkit.trained_model import resolve
    from toolkit.training.options import TrainOptions
    from toolkit.training.train import train

    import_tensorflow()
    options = TrainOptions(architecture="mobilenet-small", epochs=2, learning_rate=0.01)
    data, parent = DataOptions(name="digits"), tmp_path_factory.mktemp("mobilenet")
    run = train(options, data, parent, SILENT).run
    return resolve(run.path, DataOptions())


@pytest.mark.slow
def test_every_format_passes_the_gate(trained):
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.parity.verify import VerifyOptions, verify

    paths = tuple(one.artifact.path for one in export(trained, ExportOptions(())))
    assert len(paths) >= 6
    floats = tuple(p for p in paths if ".float32." in p.name)
    report = verify(trained, VerifyOptions(floats, limit=120))
    assert [entry.verdict for entry in report.artifacts] == ["pass", "pass"]
    report = verify(trained, VerifyOptions(paths, limit=120))
    weights = [reason for e in report.artifacts for reason in e.causes if "weights" in reason]
    assert weights == []  # folded batch norm is no damage
