"""The quick form of large_data.py: ten times the images, hardly more memory."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="the workstation side is not installed")


def benchmark():
    path = Path(__file__).with_name("large_data.py")
    spec = importlib.util.spec_from_file_location("large_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_memory_does_not_grow_with_the_images(tmp_path):
    """7,000 more images of 96x96 are 65 MB in uint8, and 258 MB in float32."""
    large = benchmark()
    few, many = (large.run(count, tmp_path, side=96, training=False) for count in (8000, 15_000))
    assert few["on_disk"]
    assert many["on_disk"]
    assert many["images_in_batches"] == 15_000 * 0.8 * 0.9
    for step in ("first load", "second load", "batches"):
        assert many[step]["anonymous_mb"] - few[step]["anonymous_mb"] < 40
