"""The engines' wheels for 64-bit Arm, installed from an x86 machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debian import NotAvailableError
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
_GLIBC = (17, 24, 27, 28, 31, 34, 35, 36)  # manylinux tags that bookworm's glibc 2.36 satisfies


@dataclass(frozen=True)
class Engine:
    """An engine as a device gets it.

    Attributes:
        package: its distribution.
        pythons: for which Python it has wheels.
        numpy: pinned by Python; the newest that the engine and that Python take.
    """

    package: str
    pythons: tuple[str, ...]
    numpy: dict[str, str]


_NEW_NUMPY = {"3.11": "2.4.6", "3.13": "2.5.5"}
ENGINES = {
    "litert": Engine("ai-edge-litert", ("3.11", "3.13"), _NEW_NUMPY),
    "onnxruntime": Engine("onnxruntime", ("3.11", "3.13"), _NEW_NUMPY),
    "tflite-runtime": Engine("tflite-runtime", ("3.11",), {"3.11": "1.26.4"}),
}


def requirements(engine: str, python: str) -> tuple[str, ...]:
    """Return what a device with one engine installs, pinned by constraints.txt."""
    known = pins(python)
    wanted = (ENGINES[engine].package, "click", "pillow")
    pinned = [f"{name}=={known[name]}" for name in wanted]
    return (*pinned, f"numpy=={ENGINES[engine].numpy[python]}")


def install(engine: str, python: str, folder: Path) -> None:
    """Install an engine with all it needs into a folder of a userland.

    Raises:
        NotAvailableError: the package index cannot be reached.
    """
    fixed = [f"{name}=={version}" for name, version in pins(python).items() if name != "numpy"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("\n".join(fixed))
        constraints.flush()
        options = ["--constraint", constraints.name, "--only-binary=:all:"]
        options += ["--implementation", "cp", "--python-version", python]
        # pip would ask the Python that runs it; the pins fit the one that is meant
        options.append("--ignore-requires-python")
        for minor in _GLIBC:
            options += ["--platform", f"manylinux_2_{minor}_aarch64"]
        options += ["--platform", "manylinux2014_aarch64"]
        pip(["--target", str(folder), *options, *requirements(engine, python)])


def install_project(wheel: Path, folder: Path) -> None:
    """Install this project's wheel, with a ``runtime`` that the userland's Python runs."""
    pip(["--target", str(folder), "--no-deps", "--no-index", "--upgrade", str(wheel)])
    script = folder / "bin" / "runtime"
    _, _, body = script.read_text().partition("\n")
    script.write_text(f"#!/usr/bin/python3\n{body}")


def pip(arguments: list[str]) -> None:
    """Run pip's install with the machine's own configuration."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotAvailableError(f"pip failed for the emulated Raspberry Pi: {reason}")


def installed_sizes(packages: Path) -> dict[str, int]:
    """Return the bytes of each package that is installed in a folder."""
    from importlib.metadata import distributions

    return {
        found.name: sum(
            path.stat().st_size
            for file in found.files or ()
            if (path := Path(str(found.locate_file(file)))).is_file()
        )
        for found in distributions(path=[str(packages)])
    }


def pins(python: str) -> dict[str, str]:
    """Return the versions in constraints.txt for a Python, by distribution."""
    found = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            entry = Requirement(line)
            if entry.marker is None or entry.marker.evaluate({"python_version": python}):
                found[entry.name] = next(iter(entry.specifier)).version
    return found
