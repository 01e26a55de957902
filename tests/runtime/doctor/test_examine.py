"""The doctor on a machine described by files, and with interpreters that fail."""

import pytest

from runtime.doctor import DoctorOptions, examine
from runtime.doctor.packages import older

PI_4 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08
"""


@pytest.fixture
def pi_4(tmp_path):
    """The files in /proc of a Raspberry Pi 4."""
    root = tmp_path / "root"
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    (root / "proc/cpuinfo").write_text(PI_4)
    return root


@pytest.fixture
def interpreter(tmp_path):
    """Make an interpreter that runs a shell script."""

    def make(code):
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def engine():
    """One engine that is installed."""
    pytest.importorskip("ai_edge_litert")
    return "litert"


def test_a_wheel_for_a_newer_core_than_that_of_a_raspberry_pi_4(engine, pi_4, interpreter):
    options = DoctorOptions(engine, python=interpreter("kill -ILL $$"), root=pi_4)
    (found,) = examine(options).backends
    assert found.status == "broken"
    assert "SIGILL" in found.problem
    assert "(Cortex-A72, Raspberry Pi 4 Model B Rev 1.4)" in found.problem
    assert "it has no atomics, dotprod, fp16, i8mm, bf16, sve" in found.problem


def test_a_signal_that_a_shell_reports_as_its_exit_code_is_found(engine, interpreter):
    options = DoctorOptions(engine, python=interpreter("exit 139"))
    assert "SIGSEGV" in examine(options).backends[0].problem


def test_each_run_of_a_tiny_model_is_logged(engine, interpreter, caplog):
    with caplog.at_level("DEBUG", "runtime"):
        examine(DoctorOptions(engine, "cpu", python=interpreter("exit 139")))
    (message,) = (text for text in caplog.messages if text.startswith("tiny.tflite in"))
    assert message.startswith(f"tiny.tflite in {engine} on cpu: Probe(error=")
    assert "code=139" in message


def test_an_engine_that_hangs_is_ended(engine, interpreter):
    options = DoctorOptions(engine, python=interpreter("exec sleep 30"), seconds=0.2)
    (found,) = examine(options).backends
    assert found.problem.endswith("hangs: no reply after 0.2 s")
    assert not examine(options).healthy


@pytest.mark.parametrize(("device", "tried"), [("auto", True), ("cpu", False)])
def test_a_gpu_is_tried_where_the_machine_shows_one(engine, pi_4, device, tried):
    card = pi_4 / "sys/class/drm/card0/device"
    card.mkdir(parents=True)
    (card / "uevent").write_text("DRIVER=v3d\n")
    report = examine(DoctorOptions(engine, device, root=pi_4))
    assert report.host.gpus == ("v3d",)
    assert (report.backends[0].gpu is not None) == tried
    assert report.healthy


def test_without_a_gpu_none_is_tried(engine, pi_4):
    assert examine(DoctorOptions(engine, root=pi_4)).backends[0].gpu is None


def test_the_answers_of_a_pi_appear_in_the_text(engine, pi_4):
    text = examine(DoctorOptions(engine, root=pi_4)).to_text()
    assert "board      Raspberry Pi 4 Model B Rev 1.4" in text
    assert "Cortex-A72" in text


@pytest.mark.parametrize(
    ("version", "least", "answer"),
    [
        ("1.9.0", "1.27", True),
        ("1.27.0", "1.27", False),
        ("1.27", "1.27", False),
        ("2.0.0rc1", "2.1", True),
        ("10.1", "9.2", False),
    ],
)
def test_versions_are_compared_as_numbers(version, least, answer):
    assert older(version, least) == answer
