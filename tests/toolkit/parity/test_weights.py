"""The weight audit: silent on every correct file, loud on one wrong weight."""

from dataclasses import replace

import numpy as np
import pytest

from exporters.formats import registry
from exporters.source import load_keras
from runtime import artifact as artifacts
from toolkit.inspection import view
from toolkit.parity.breaking import flip_weight_byte
from toolkit.parity.weights import audit, model_kernels

FORMATS = list(registry())


def inside(path):
    return view(artifacts.read(path).data, path.suffix)


@pytest.mark.parametrize("name", FORMATS)
def test_a_correct_file_has_no_finding(exports, subject, name):
    kernels = inside(exports[name]).kernels()
    assert len(kernels) == 6
    assert audit(kernels, model_kernels(subject.source.model)) == ()


@pytest.mark.parametrize("name", FORMATS)
def test_one_flipped_byte_is_found_in_its_layer(exports, subject, name):
    file = artifacts.read(exports[name])
    broken = flip_weight_byte(artifacts.payload(file), file.suffix)
    (finding,) = audit(view(broken, file.suffix).kernels(), model_kernels(subject.source.model))
    assert (finding.layer, finding.wrong, finding.total) == ("conv2d", 1, 800)
    assert "1 of 800 weights is not Keras's" in str(finding)


@pytest.fixture(scope="module")
def folded(rgb_model, tmp_path_factory):
    """A model with batch norm and depthwise layers in every format."""
    from toolkit.datasets import DataOptions
    from toolkit.exporting import ExportOptions, export
    from toolkit.subject import Overrides, resolve

    data = DataOptions(path=rgb_model / "colors.npz")
    subject = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    out = tmp_path_factory.mktemp("folded")
    files = export(subject, ExportOptions((), out=out), on_failure=lambda *_: None)
    return {file.manifest.format: file for file in files}


def test_batch_norm_and_depthwise_layers_are_known(folded, rgb_model):
    model = model_kernels(load_keras(rgb_model / "colors.keras").model)
    assert [len(kernel.forms) for kernel in model] == [2, 1, 1, 1]
    for file in folded.values():
        assert audit(view(file.data, file.suffix).kernels(), model) == (), file.path.name


def test_a_low_bit_is_found_too(exports, subject):
    """The least change there is: one int8 weight, one step."""
    model = model_kernels(subject.source.model)
    kernels = list(inside(exports["tflite-int8"]).kernels())
    values = kernels[2].values.copy()
    values[0, 0, 0, 0] += 1.2 * kernels[2].step[0]
    kernels[2] = replace(kernels[2], values=values)
    (finding,) = audit(tuple(kernels), model)
    assert finding.layer == model[2].layer


def test_another_model_is_left_to_the_answers(exports, subject, rng):
    """Many wrong weights are no damage of a byte; the answers show them."""
    model = tuple(
        replace(k, forms=tuple(rng.normal(size=f.shape).astype(np.float32) for f in k.forms))
        for k in model_kernels(subject.source.model)
    )
    assert audit(inside(exports["tflite"]).kernels(), model) == ()


def test_layers_without_a_partner_are_passed_over(exports):
    assert audit(inside(exports["tflite"]).kernels(), ()) == ()
