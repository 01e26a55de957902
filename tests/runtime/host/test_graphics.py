"""Which GPUs a machine shows."""

import pytest

from runtime.host.graphics import gpu_adapters, vulkan_drivers


def card(number, driver, vendor="", device=""):
    folder = f"sys/class/drm/card{number}/device"
    files = {f"{folder}/uevent": f"DRIVER={driver}\nPCI_ID=1\n"}
    if vendor:
        files |= {f"{folder}/vendor": f"{vendor}\n", f"{folder}/device": f"{device}\n"}
    return files


def test_a_machine_without_a_gpu_shows_none(machine):
    root = machine({})
    assert gpu_adapters(root) == vulkan_drivers(root) == ()


def test_the_gpu_of_a_raspberry_pi_is_its_driver(machine):
    files = card(0, "v3d") | card(1, "vc4-drm") | {"sys/class/drm/card1-HDMI-A-1/status": "on"}
    assert gpu_adapters(machine(files)) == ("v3d", "vc4-drm")


def test_pci_cards_have_maker_device_and_driver(machine):
    files = card(0, "i915", "0x8086", "0x9a49") | card(1, "amdgpu", "0x1002", "0x73bf")
    assert gpu_adapters(machine(files)) == ("Intel 0x9a49 (i915)", "AMD 0x73bf (amdgpu)")


def test_nvidia_is_named_by_its_own_driver_and_only_once(machine):
    text = "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 42\n"
    files = card(0, "nvidia", "0x10de", "0x2330")
    files["proc/driver/nvidia/gpus/0000:01:00.0/information"] = text
    assert gpu_adapters(machine(files)) == ("NVIDIA H100 80GB HBM3 (nvidia)",)


@pytest.mark.parametrize("driver", ["simpledrm", "vkms", "bochs-drm", "ast"])
def test_what_only_shows_a_picture_is_no_gpu(machine, driver):
    assert gpu_adapters(machine(card(0, driver, "0x1234", "0x1"))) == ()


def test_vulkan_drivers_are_told_by_name(machine):
    folder = "usr/share/vulkan/icd.d"
    names = ("broadcom_icd.aarch64.json", "lvp_icd.x86_64.json", "nvidia_icd.json")
    root = machine({f"{folder}/{name}": "{}" for name in names})
    assert vulkan_drivers(root) == ("broadcom", "lvp", "nvidia")
