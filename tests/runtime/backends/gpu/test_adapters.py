"""GPUs and software renderers."""

import pytest

from runtime.backends.gpu import adapters
from runtime.backends.gpu.adapters import Adapter


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", "CPU / Software"),
        ("llvmpipe (LLVM 20.1.2, 256 bits)", "GPU"),
        ("SwiftShader Device (Subzero)", ""),
        ("Microsoft Basic Render Driver", "Integrated GPU"),
        ("some new thing", "CPU"),
    ],
)
def test_software_renderers_are_recognized_by_name_or_kind(name, kind):
    assert Adapter(name, kind).is_software


@pytest.mark.parametrize(
    "name", ["NVIDIA H100 80GB HBM3", "V3D 7.1.7.0", "AMD Radeon 780M", "Apple M3", "Warped 9000"]
)
def test_gpus_are_no_software(name):
    assert not Adapter(name, "Discrete GPU").is_software


def test_without_a_loader_there_are_no_adapters(monkeypatch):
    monkeypatch.setattr(adapters, "vulkan_loader", lambda: None)
    assert adapters.vulkan_adapters() == ()


def test_the_loader_is_looked_for_under_its_own_name(monkeypatch):
    names = []

    def missing(name):
        names.append(name)
        raise OSError(name)

    monkeypatch.setattr(adapters.ctypes, "CDLL", missing)
    assert adapters.vulkan_loader() is None
    assert "vulkan" in names[0]
