"""The measurements of training, export and scale: that their short forms work."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("tensorflow", reason="the workstation side is not installed")
pytest.importorskip("tf2onnx", reason="the workstation side is not installed")


@pytest.fixture
def quick(monkeypatch):
    """Run a script of this folder in its short form and return its JSON."""

    def run(name, *options):
        path = Path(__file__).with_name(f"{name}.py")
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        done = CliRunner().invoke(module.command, ["--quick", "--json", *options])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def test_the_race_trains_the_plain_script_and_the_toolkit_side_by_side(quick):
    recipes = ("--recipe", "float32", "--recipe", "auto:4:0.002")
    plain, *ours = quick("plain_training", *recipes)["trainings"]
    assert (plain["name"], plain["ratio"]) == ("plain model.fit", 1.0)
    assert ours[0]["name"] == "toolkit, float32"
    for one in (plain, *ours):
        assert one["epochs"] == 1  # any accuracy will do in the short form
        assert one["time_s"] == one["all"]["seconds"][0] > 0
        assert 0.0 <= one["all"]["accuracy"][0] <= 1.0


def test_each_format_is_timed_bare_and_exported_and_summed_up(quick):
    *rows, total = quick("export")["formats"]
    assert [row["format"] for row in rows] == ["tflite", "onnx"]
    assert total["bare_s"] == pytest.approx(sum(row["bare_s"] for row in rows), abs=0.002)
    assert total["export_s"] == pytest.approx(sum(row["export_s"] for row in rows), abs=0.002)
    assert total["ratio"] > 0


def test_a_network_is_measured_in_both_formats_and_with_many_images(quick):
    record = quick("scale")
    (network,) = record["networks"]
    assert network["parameters"] == 56_194
    assert network["megabytes"][1] < network["megabytes"][0]
    assert all(value > 0 for value in network["latency_ms"] + network["export_s"])
    assert [many["images"] for many in record["images"]] == [1, 4]
