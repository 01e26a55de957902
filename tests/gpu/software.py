"""A software Vulkan (Mesa's llvmpipe) and ONNX Runtime's WebGPU plugin, unpacked into a cache.

Nothing is installed: Debian packages are taken from the mirror that this machine's own apt
names, unpacked with dpkg, and given to a child process by its environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PLUGIN = "onnxruntime-ep-webgpu==0.4.0"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-toolkit"
_SECONDS = 300
_WANTED = ("mesa-vulkan-drivers", "libvulkan1")


class CannotBuildError(Exception):
    """Why it cannot be had here."""


def vulkan() -> dict[str, str]:
    """Return the environment in which llvmpipe is the only Vulkan adapter.

    Raises:
        CannotBuildError: this is no Debian, or there is no mirror.
    """
    missing = [tool for tool in ("apt-get", "dpkg") if shutil.which(tool) is None]
    if missing or sys.platform != "linux":
        raise CannotBuildError(f"llvmpipe comes from Debian packages, and there is no {missing}")
    root = _CACHE / f"llvmpipe-{_codename()}"
    if not (root / "done").exists():
        _unpack(root)
    (driver,) = root.glob("usr/lib/*/libvulkan_lvp.so")
    icd = root / "llvmpipe.json"
    told = {"ICD": {"api_version": "1.3.0", "library_path": str(driver)}}
    icd.write_text(json.dumps({"file_format_version": "1.0.0", **told}))
    return {
        "LD_LIBRARY_PATH": str(driver.parent),
        "VK_ICD_FILENAMES": str(icd),
        "VK_DRIVER_FILES": str(icd),
    }


def webgpu_plugin() -> Path:
    """Return the folder to put on the import path for ONNX Runtime's WebGPU plugin.

    Raises:
        CannotBuildError: it cannot be downloaded.
    """
    folder = _CACHE / PLUGIN
    if not (folder / "done").exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder)]
        _run([*pip, PLUGIN])
        for wheel in folder.glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        (folder / "done").touch()
    return folder


def _unpack(root: Path) -> None:
    state = root / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text("\n".join(_sources()) + "\n")
    apt = ["apt-get", "-o", f"Dir::Etc::sourcelist={state}/sources.list"]
    apt += ["-o", "Dir::Etc::sourceparts=/dev/null", "-o", f"Dir::State::lists={state}/lists"]
    apt += ["-o", f"Dir::Cache={state}", "-o", "APT::Sandbox::User=root"]
    _run([*apt, "update"])
    # A recent Mesa: LiteRT takes its llvmpipe for a GPU, while it refuses that of bookworm.
    release = ["-t", f"{_codename()}-backports"]
    plan = _run([*apt, "install", "--simulate", "--no-install-recommends", *release, *_WANTED])
    lines = [line.split() for line in plan.splitlines() if line.startswith("Inst ")]
    names = {words[1]: next(w[1:] for w in words if w.startswith("(")) for words in lines}
    if "mesa-vulkan-drivers" not in names:
        raise CannotBuildError("Mesa is installed here; its packages cannot be fetched once more")
    _run([*apt, "download", *(f"{name}={version}" for name, version in names.items())], cwd=state)
    for package in state.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(root)])
    (root / "done").touch()


def _sources() -> list[str]:
    """Name the machine's own mirror, with backports."""
    form = "$(REPO_URI) $(CODENAME)"
    listed = _run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    rows = [line.split() for line in listed.splitlines()]
    mirror = next((row[0] for row in rows if row[1:] == [_codename()]), None)
    if mirror is None:
        raise CannotBuildError(f"apt lists no packages of {_codename()}; run apt-get update")
    keys = sorted(Path("/usr/share/keyrings").glob("*-archive-keyring.[gp][gp][gp]"))
    signed = f"[signed-by={keys[0]}] " if keys else ""
    suites = (_codename(), f"{_codename()}-backports")
    return [f"deb {signed}{mirror} {suite} main" for suite in suites]


def _codename() -> str:
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get("VERSION_CODENAME", "unknown")


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, timeout=_SECONDS
    )
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise CannotBuildError(f"{command[0]} failed: {last}")
    return done.stdout
