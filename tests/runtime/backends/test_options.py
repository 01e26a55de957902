"""How an engine is to run."""

import json
from dataclasses import asdict

import pytest

from runtime.backends import BackendOptions
from runtime.backends.providers import PROVIDERS, wanted
from runtime.errors import InputError, UnknownNameError


def test_float32_and_all_providers_are_the_default():
    assert BackendOptions("gpu") == BackendOptions("gpu", 1, "float32", ())


def test_they_come_back_from_json():
    options = BackendOptions("gpu", 2, "float16", ("cuda", "webgpu"))
    assert BackendOptions(**json.loads(json.dumps(asdict(options)))) == options


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"device": "gpuu"}, UnknownNameError, "Did you mean 'gpu'"),
        ({"device": "gpu", "precision": "float1"}, UnknownNameError, "float16, float32"),
        ({"device": "gpu", "providers": ("cda",)}, UnknownNameError, "Did you mean 'cuda'"),
        ({"threads": 0}, InputError, "at least 1"),
        ({"precision": "float16"}, InputError, "for --device gpu or auto"),
        ({"providers": ("cuda",)}, InputError, "for --device gpu or auto"),
    ],
)
def test_what_cannot_be_is_refused(fields, error, words):
    with pytest.raises(error, match=words):
        BackendOptions(**fields)


def test_the_order_is_that_of_the_table_by_default():
    names = ["tensorrt", "cuda", "migraphx", "directml", "coreml", "webgpu"]
    assert [provider.name for provider in wanted(())] == names
    assert [provider.name for provider in wanted(("webgpu", "cuda"))] == ["webgpu", "cuda"]


def test_the_names_are_those_that_onnxruntime_uses():
    ort = pytest.importorskip("onnxruntime")
    assert {provider.ort for provider in PROVIDERS} <= set(ort.get_all_providers())
