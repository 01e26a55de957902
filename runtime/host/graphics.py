"""Graphics adapters that the system lists, without loading any driver."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from runtime.proc import colon_fields, text_of

if TYPE_CHECKING:
    from pathlib import Path

# PCI vendor identifiers: pcisig.com, list of member companies.
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel", "0x106b": "Apple"}
# Drivers that only drive a display.
_DISPLAYS = {"simpledrm", "simple-framebuffer", "vkms", "vgem", "bochs-drm", "ast", "mgag200"}


def gpu_adapters(root: Path) -> tuple[str, ...]:
    """Return the graphics adapters that the system lists.

    Args:
        root: folder that contains ``proc`` and ``sys``.

    Returns:
        One text each, for example ``NVIDIA H100 (nvidia)`` or ``v3d``; drivers that only
        drive a display are omitted. On a Mac, ``Metal``.

    Example:
        >>> from pathlib import Path
        >>> gpu_adapters(Path("no-such-root"))
        ()
    """
    if sys.platform == "darwin" and root.parent == root:
        return ("Metal",)  # part of every macOS that this Python runs on
    nvidia = _nvidia(root)
    cards = [
        card
        for folder in sorted(root.glob("sys/class/drm/card*"))
        if folder.name[4:].isdigit() and (card := _card(folder / "device"))
    ]
    if nvidia:
        cards = [card for card in cards if not card.startswith("NVIDIA")]
    if (root / "dev/dxg").exists():
        cards.append("GPU of Windows (dxg)")
    return (*nvidia, *dict.fromkeys(cards))


def vulkan_drivers(root: Path) -> tuple[str, ...]:
    """Return the names of the installed Vulkan drivers, from the loader's manifests.

    Args:
        root: folder that contains ``usr`` and ``etc``.

    Example:
        >>> from pathlib import Path
        >>> folder = Path("usr/share/vulkan/icd.d")
        >>> folder.mkdir(parents=True)
        >>> (folder / "broadcom_icd.aarch64.json").touch()
        >>> vulkan_drivers(Path())
        ('broadcom',)
    """
    folders = ("usr/share/vulkan/icd.d", "etc/vulkan/icd.d", "usr/local/share/vulkan/icd.d")
    found = [path.stem for folder in folders for path in root.glob(f"{folder}/*.json")]
    return tuple(sorted({name.split(".")[0].removesuffix("_icd") for name in found}))


def _nvidia(root: Path) -> tuple[str, ...]:
    files = sorted(root.glob("proc/driver/nvidia/gpus/*/information"))
    models = [colon_fields(text_of(file)).get("Model", "NVIDIA") for file in files]
    return tuple(f"{model} (nvidia)" for model in models)


def _card(device: Path) -> str:
    event = dict(line.partition("=")[::2] for line in text_of(device / "uevent").splitlines())
    driver = event.get("DRIVER", "")
    if not driver or driver in _DISPLAYS:
        return ""
    vendor = text_of(device / "vendor")
    if not vendor:
        return driver  # on a system-on-chip, for example v3d of a Raspberry Pi
    name = f"{_VENDORS.get(vendor, vendor)} {text_of(device / 'device')}"
    return f"{name} ({driver})"
