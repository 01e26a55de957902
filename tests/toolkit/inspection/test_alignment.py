"""Which layer is which, also where branches are computed in another order."""

from types import SimpleNamespace

import pytest

pytest.importorskip("tensorflow", reason="the workstation side is not installed")

from exporters import formats
from exporters.calibration import CalibrationOptions
from runtime.errors import ArtifactError
from toolkit.architectures import BuildOptions, registry
from toolkit.datasets import DataOptions
from toolkit.export.request import ExportOptions, build_request
from toolkit.inspection import view
from toolkit.inspection.alignment import align
from toolkit.trained_model import resolve


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    """The architecture resnet20, untrained: what its layers are does not depend on that."""
    path = tmp_path_factory.mktemp("residual") / "resnet20.keras"
    registry()["resnet20"]().build(BuildOptions((28, 28, 1), 10)).save(path)
    return resolve(path, DataOptions(name="digits"))


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_each_layer_is_paired_with_itself(residual, name):
    options = ExportOptions((name,), calibration=CalibrationOptions(8))
    file = formats.registry()[name]().draft(build_request(residual, options, calibrate=True))
    inside = view(file.data, file.suffix)
    reference, pairs = align(inside, view(residual.graphs.to_bytes(file.suffix), file.suffix))
    assert [mine.name for mine, _ in pairs] == [other.name for _, other in pairs]
    theirs = {kernel.layer: kernel.values.shape for kernel in reference.kernels()}
    assert {kernel.layer: kernel.values.shape for kernel in inside.kernels()} == theirs


def graph(*layers):
    """A graph as far as it is looked at here: (name, kind) in the order of execution."""
    made = tuple(SimpleNamespace(name=name, kind=kind, inputs=("image",)) for name, kind in layers)
    return SimpleNamespace(suffix=".onnx", layers=made, prepared=lambda: None)


def test_branches_in_another_order_are_paired_by_name():
    """As ONNX Runtime's quantizer writes a trained resnet20: the shortcut comes first."""
    ours = graph(("shortcut", "Conv"), ("conv1", "Conv"), ("conv2", "Conv"))
    theirs = graph(("conv1", "Conv"), ("conv2", "Conv"), ("shortcut", "Conv"))
    _, pairs = align(ours, theirs)
    assert [(mine.name, other.name) for mine, other in pairs] == [
        ("shortcut", "shortcut"),
        ("conv1", "conv1"),
        ("conv2", "conv2"),
    ]


def test_other_names_are_paired_in_order_and_other_kinds_are_refused():
    _, pairs = align(graph(("a", "Gemm")), graph(("b", "MatMul")))
    assert [(mine.name, other.name) for mine, other in pairs] == [("a", "b")]
    with pytest.raises(ArtifactError, match="its layers are not those of the Keras model"):
        align(graph(("a", "Conv"), ("b", "Add")), graph(("b", "Conv"), ("a", "Add")))
