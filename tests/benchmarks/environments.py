"""Virtual environments as a user makes them: created, measured, thrown away."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import BackendError

ROOT = Path(__file__).parents[2]
# What a fresh environment holds before anything is installed, or pip adds of its own.
INSTALLERS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils")
# Runs a script and writes the highest memory of its process into a file. The process itself
# tells it best: what wait4(2) reports begins with the memory of the program that started it.
WATCHED = """
import atexit, runpy, sys
report, *sys.argv = sys.argv[1:]
def tell():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    with open(report, "w") as file:
        file.write(lines["VmHWM"].split()[0])
atexit.register(tell)  # no "finally": `runtime` ends without coming back
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment.

    Attributes:
        folder: where it is.
    """

    folder: Path

    @classmethod
    def make(cls, folder: Path, *requirements: str) -> Environment:
        """Create one and install what is asked for, as pip resolves it today.

        Raises:
            BackendError: pip failed; its error line is told.
        """
        venv.create(folder, with_pip=True)
        environment = cls(folder)
        environment.run("-m", "pip", "install", "--quiet", *requirements)
        return environment

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        """Where pip installs."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, *arguments: object) -> str:
        """Run its interpreter; see :func:`run`."""
        return run(*arguments, python=self.python)

    def peak_mb(self, script: object, *arguments: object) -> float:
        """Run a script; return the highest resident memory of its process, in MB."""
        with tempfile.NamedTemporaryFile("r") as report:
            self.run("-P", "-c", WATCHED, report.name, script, *arguments)
            return int(report.read()) * 1024 / 1e6

    def version(self, package: str) -> str:
        """Return the version of an installed distribution."""
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        return self.run("-c", code).strip()


def build_wheel(folder: Path) -> Path:
    """Build this project's wheel from the working tree, as ``make wheel`` does.

    Raises:
        BackendError: pip failed.
    """
    run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def disk_bytes(site_packages: Path) -> int:
    """Add up the sizes of all files; links, and what pip brings for itself, are left out."""
    total = 0
    for entry in site_packages.iterdir():
        if not _is_installer(entry.name):
            files = entry.rglob("*") if entry.is_dir() else [entry]
            total += sum(f.stat().st_size for f in files if f.is_file() and not f.is_symlink())
    return total


def package_count(site_packages: Path) -> int:
    """Count the installed distributions but pip and setuptools."""
    return sum(not _is_installer(found.name) for found in site_packages.glob("*.dist-info"))


def _is_installer(entry: str) -> bool:
    return entry.split("-", maxsplit=1)[0] in INSTALLERS


def run(*arguments: object, python: Path | str = sys.executable) -> str:
    """Run an interpreter; return what was printed.

    Raises:
        BackendError: it failed; its error line is told.
    """
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]  # pip adds notes to it
        last = (errors or lines or [f"code {done.returncode}"])[-1]
        raise BackendError(f"{' '.join(command[1:4])} … failed: {last}")
    return done.stdout
