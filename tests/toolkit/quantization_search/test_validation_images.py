"""Images to choose settings on: neither trained, nor calibrated, nor tested on."""

from dataclasses import replace

import numpy as np

from toolkit.datasets import DataOptions
from toolkit.datasets.splits import train_validation
from toolkit.quantization_search.validation_images import hold_out
from toolkit.trained_model import Overrides, resolve


def test_a_run_measures_on_its_validation_split(trained, digits_run):
    part, same = hold_out(trained)
    options = digits_run.config["options"]
    _, validation = train_validation(trained.dataset, options["validation_split"], options["seed"])
    rows = {image.tobytes() for image in part.images}
    assert rows == {image.tobytes() for image in trained.dataset.x_train[validation]}
    assert same is trained
    assert part.remark is None
    assert part.dataset == "digits validation images"


def test_a_bare_file_has_a_seeded_tenth_set_aside(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    part, rest = hold_out(trained)
    assert len(part.truth) == 15
    assert "set aside to measure on and left out of the calibration" in part.remark
    kept = {image.tobytes() for image in part.images}
    assert not kept & {image.tobytes() for image in trained.dataset.x_train[rest.training]}
    assert np.array_equal(hold_out(trained)[0].images, part.images)


def test_test_images_are_never_held_out(trained):
    part, _ = hold_out(replace(trained))
    tests = {image.tobytes() for image in trained.dataset.x_test}
    assert not tests & {image.tobytes() for image in part.images}
