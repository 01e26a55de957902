"""What this machine is."""

import json
import platform
import sys

import numpy as np
import pytest

from runtime.host import host
from runtime.processor import lacks_vnni

PI_5 = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm aes sha1 sha2 crc32 atomics fphp asimdhp cpuid lrcpc asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

Revision\t: d04170
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
PI_4 = """Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08
"""
XEON = """model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse avx f16c fma avx2 avx512f avx512_bf16 avx512_fp16 avx512_vnni amx_tile hypervisor
"""


def test_this_machine_has_a_name_and_cores():
    found = host()
    assert found.cpu
    assert found.cores >= 1
    assert found.architecture == platform.machine()
    assert found.python == platform.python_version()
    assert found.python_version == sys.version_info[:2]
    assert found.numpy == np.__version__
    assert found.bits == 64
    assert found.page_size >= 4096
    assert json.loads(json.dumps(found.to_json()))["cores"] == found.cores


def test_a_raspberry_pi_5_is_known_by_its_device_tree_and_core(machine):
    found = host(
        machine(
            {
                "proc/cpuinfo": PI_5,
                "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
                "proc/meminfo": "MemTotal:  8255680 kB\nMemAvailable:  150000 kB\n",
                "etc/os-release": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            }
        )
    )
    assert found.board == "Raspberry Pi 5 Model B Rev 1.0"
    assert found.cpu == "Cortex-A76"
    assert found.features == ("neon", "atomics", "fp16", "dotprod")
    assert (found.memory_mb, found.free_mb) == (8454, 154)
    assert found.system == "Debian GNU/Linux 12 (bookworm)"


def test_a_raspberry_pi_4_has_no_dot_product(machine):
    files = {"proc/cpuinfo": PI_4, "sys/firmware/devicetree/base/model": "Raspberry Pi 4\0"}
    found = host(machine(files))
    assert (found.cpu, found.board) == ("Cortex-A72", "Raspberry Pi 4")
    assert found.features == ("neon",)


def test_instructions_of_arm_and_x86_have_one_name(machine):
    found = host(machine({"proc/cpuinfo": XEON}))
    assert found.cpu == "Intel(R) Xeon(R) Platinum 8481C"
    assert set(found.features) == {
        "avx", "f16c", "fma", "avx2", "avx512", "bf16", "fp16", "vnni", "amx"
    }  # fmt: skip
    assert found.board is None
    assert found.virtual == "virtual machine"


@pytest.mark.parametrize(
    ("architecture", "cpuinfo", "lacking"),
    [
        ("x86_64", XEON, False),
        ("x86_64", "flags\t\t: fpu avx2 avx_vnni\n", False),
        ("x86_64", XEON.replace(" avx512_vnni", ""), True),
        ("AMD64", "", True),  # Windows lists no instructions
        ("aarch64", PI_4, False),
        ("armv7l", PI_4, False),
    ],
)
def test_only_an_x86_processor_lacks_vnni(machine, monkeypatch, architecture, cpuinfo, lacking):
    monkeypatch.setattr(platform, "machine", lambda: architecture)
    assert lacks_vnni(machine({"proc/cpuinfo": cpuinfo})) is lacking


def test_an_unknown_arm_core_is_told_by_its_number(machine):
    text = "CPU implementer\t: 0x41\nCPU part\t: 0xfff\n"
    assert host(machine({"proc/cpuinfo": text})).cpu == "Arm core 0xfff"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, ""),
        ({"run/.containerenv": ""}, "container"),
        ({".dockerenv": ""}, "container"),
        ({"run/systemd/container": "lxc"}, "container"),
    ],
)
def test_a_container_is_told(machine, files, kind):
    assert host(machine(files)).virtual == kind


@pytest.mark.parametrize(
    ("modalias", "kind"),
    [("cpu:type:x86,ven0002", "emulated"), ("cpu:type:aarch64:feature:,0000", "")],
)
def test_an_arm_userland_on_an_x86_machine_is_emulated(machine, monkeypatch, modalias, kind):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert host(machine({"sys/devices/system/cpu/modalias": modalias})).virtual == kind


def test_a_machine_without_proc_is_described_all_the_same(machine):
    """As macOS and Windows."""
    found = host(machine({}))
    assert found.cpu
    assert (found.memory_mb, found.features, found.gpus) == (None, (), ())
