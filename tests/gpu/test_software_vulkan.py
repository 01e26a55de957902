"""A software Vulkan is refused; with the refusal lifted it runs the whole GPU path for real."""

from __future__ import annotations

import json

import pytest

GPU = ("--device", "gpu")
pytestmark = [pytest.mark.web, pytest.mark.slow]


def test_litert_refuses_it_by_name(run, llvmpipe, shipped):
    """LiteRT itself takes it, says «fully accelerated» and computes on the CPU."""
    result = run(llvmpipe, "-m", "runtime", "info", shipped["tflite"], "--device", "gpu")
    assert result.returncode == 3
    assert result.stdout == ""
    assert "the only adapter is llvmpipe" in result.stderr
    assert "computes on the CPU" in result.stderr
    assert "--device cpu" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_auto_goes_to_the_cpu_with_one_line(run, llvmpipe, shipped, digit_files):
    result = run(
        llvmpipe,
        "-m",
        "runtime",
        "predict",
        shipped["tflite"],
        *digit_files[:2],
        "--device",
        "auto",
        "--json",
    )
    assert result.returncode == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(a["backend"], a["device"]) for a in answers] == [("litert", "cpu")] * 2
    warnings = [line for line in result.stderr.splitlines() if line.startswith("Warning")]
    assert len(warnings) == 1
    assert "llvmpipe" in warnings[0]


def test_onnxruntime_refuses_it_even_where_the_plugin_is_told_to_take_it(run, webgpu, shipped):
    result = run(webgpu, "-m", "runtime", "info", shipped["onnx"], "--device", "gpu")
    assert result.returncode == 3
    assert "webgpu: the only adapter is llvmpipe" in result.stderr


def test_a_driver_that_kills_python_leaves_auto_on_the_cpu(run, llvmpipe, shipped, tmp_path):
    """The child dies by a signal as with a bad driver; this process goes on."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'runtime.workers.probe_service' in sys.orig_argv: os.kill(os.getpid(), 11)\n"
    )
    environment = llvmpipe | {"PYTHONPATH": str(tmp_path)}
    result = run(
        environment, "-m", "runtime", "info", shipped["tflite"], "--device", "auto", "--json"
    )
    assert result.returncode == 0
    assert json.loads(result.stdout)["backend"]["device"] == "cpu"
    assert "-11" in result.stderr


def test_litert_answers_as_on_the_cpu_in_float32_and_worse_in_float16(llvmpipe, compared, shipped):
    exact = compared(llvmpipe, shipped["tflite"], "litert")
    assert exact["device"] == "gpu"
    assert exact["accelerator"].startswith("WebGPU, llvmpipe")
    assert exact["max_difference"] < 1e-5
    assert exact["of_batches"] == 0
    half = compared(llvmpipe, shipped["tflite"], "litert", "float16")
    assert exact["max_difference"] * 10 < half["max_difference"] < 0.05
    assert half["flips"] == 0


def test_litert_runs_an_int8_file_whole(llvmpipe, compared, shipped):
    found = compared(llvmpipe, shipped["tflite-int8"], "litert")
    assert found["device"] == "gpu"
    assert found["max_difference"] <= 2 / 256


def test_litert_refuses_a_file_of_which_a_part_would_run_on_the_cpu(llvmpipe, compared, shipped):
    found = compared(llvmpipe, shipped["tflite-int16x8"], "litert")
    assert found["kind"] == "DeviceUnavailableError"
    assert "takes 1 of the " in found["error"]
    assert "INT16" in found["error"]


def test_onnxruntime_answers_as_on_the_cpu(webgpu, compared, shipped):
    """Through the plugin and I/O binding; every node is on the adapter."""
    found = compared(webgpu, shipped["onnx"], "onnxruntime")
    assert found["device"] == "gpu"
    assert found["accelerator"].startswith("WebGpu, llvmpipe")
    assert found["max_difference"] < 1e-5
    assert found["of_batches"] < 1e-5


def test_onnxruntime_refuses_a_file_of_which_a_part_would_run_on_the_cpu(webgpu, compared, shipped):
    found = compared(webgpu, shipped["onnx-int8"], "onnxruntime")
    assert found["kind"] == "DeviceUnavailableError"
    assert "a part would run on the CPU" in found["error"]


def test_a_provider_without_float16_of_its_own_says_what_to_do(webgpu, compared, shipped):
    found = compared(webgpu, shipped["onnx"], "onnxruntime", "float16")
    assert "onnx-float16" in found["error"]


def test_the_gate_judges_by_the_budget_of_the_gpu(run, llvmpipe, shipped):
    """TensorFlow is in that process, so that the engine runs in one of its own."""
    pytest.importorskip("tensorflow", reason="the workstation side is not installed")
    arguments = ("--against", shipped["keras"], "--dataset", "digits", "--limit", 12, "--json")
    files = [shipped[name] for name in ("tflite", "tflite-int16x8")]
    done = run(llvmpipe, "-m", "toolkit", "verify", *files, *arguments, *GPU, lift=True)
    report = json.loads(done.stdout)
    exact, refused = report["artifacts"]
    assert (exact["verdict"], exact["backend"], exact["device"]) == ("pass", "litert", "gpu")
    assert "llvmpipe" in exact["accelerator"]
    assert exact["budget"]["max_abs_error"] == 5e-3
    assert (refused["verdict"], refused["device"]) == ("refused", "")
    assert "takes 1 of the" in refused["reasons"][0]
    assert done.returncode == 1


def test_auto_takes_what_another_process_has_proven(run, llvmpipe, shipped, digit_files):
    arguments = ("predict", shipped["tflite"], digit_files[0], "--device", "auto", "--json")
    done = run(llvmpipe, "-m", "runtime", *arguments, lift=True)
    answer = json.loads(done.stdout)
    assert (answer["backend"], answer["device"]) == ("litert", "gpu")
    assert "(gpu: WebGPU, llvmpipe" in done.stderr
    assert "Warning" not in done.stderr


def test_the_self_test_runs_on_the_adapter(run, llvmpipe, shipped):
    done = run(llvmpipe, "-m", "runtime", "verify", shipped["tflite"], *GPU, "--json", lift=True)
    report = json.loads(done.stdout)
    assert (report["verdict"], report["device"]) == ("pass", "gpu")
    assert "llvmpipe" in report["accelerator"]
