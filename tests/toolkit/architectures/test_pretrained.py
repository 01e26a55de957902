"""The networks of keras.applications; their weights are not downloaded in the tests."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")

from runtime.errors import DataError, InputError  # noqa: E402
from toolkit.architectures import BuildOptions, registry  # noqa: E402

NAMES = ("mobilenetv2", "efficientnet-b0")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_takes_grey_and_colour_images_of_0_to_1(monkeypatch, name, channels):
    kind = registry()[name]
    monkeypatch.setattr(kind, "weights", None)
    model = kind().build(BuildOptions((32, 32, channels), 7))
    assert model.input_shape == (None, 32, 32, channels)
    assert model.output_shape == (None, 7)
    scaled = keras.Model(model.inputs, model.get_layer("pixels").output)
    ends = [
        float(scaled(np.full((1, 32, 32, channels), v, np.float32))[0, 0, 0, 2]) for v in (0, 1)
    ]
    assert ends == ([-1, 1] if name == "mobilenetv2" else [0, 255])


@pytest.mark.parametrize("name", NAMES)
def test_without_a_network_it_says_so_in_one_line(monkeypatch, name):
    def offline(*arguments, **options):
        raise OSError("URL fetch failure on somewhere: None -- unreachable")

    monkeypatch.setattr(keras.applications, registry()[name].application, offline)
    with pytest.raises(DataError, match=r"cannot be downloaded\. Go online, or .* --from RUN") as e:
        registry()[name]().build(BuildOptions((32, 32, 3), 10))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", NAMES)
def test_small_images_are_refused(name):
    with pytest.raises(InputError, match="takes images from 32x32, not 28x28"):
        registry()[name]().build(BuildOptions((28, 28, 1), 10))
