"""Builds a 64-bit Raspberry Pi userland on an x86 machine, without root, once.

Raspberry Pi OS 64-bit is Debian for arm64. This unpacks the packages of a Debian release
and the engines' arm64 wheels into a cache folder, and runs programs there under QEMU's
user-mode emulation. By hand::

    python tests/pi/userland.py bookworm
    python tests/pi/userland.py bookworm --cpu cortex-a72 -- python3 -m runtime doctor

Mirrors come from the machine's own apt sources and pip configuration. apt checks the
packages against Debian's signed lists, with the keys of the machine; pip checks the wheels
against the hashes that its index names. Speeds measured in there say nothing about a Pi.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debian import NotAvailableError, debian_mirror, download, unpack
from wheels import ENGINES, ROOT, install, installed_sizes, requirements

# The emulator's release is fixed: QEMU 7 shows the x86 /proc/cpuinfo to its guest, on which
# the engines crash or leave XNNPACK out.
EMULATOR_SUITE = "trixie"
GUEST_PACKAGES = ("python3", "libstdc++6", "libgomp1", "coreutils", "dash", "bash")
CPUS = {"cortex-a72": "Raspberry Pi 4", "cortex-a76": "Raspberry Pi 5"}
_LAYOUT = 1  # raise it to build anew


@dataclass(frozen=True)
class Suite:
    """A Debian release and its Python."""

    name: str
    python: str

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that have wheels for this Python."""
        return tuple(name for name, engine in ENGINES.items() if self.python in engine.pythons)


SUITES = {"bookworm": Suite("bookworm", "3.11"), "trixie": Suite("trixie", "3.13")}


@dataclass(frozen=True)
class Userland:
    """A userland that was built."""

    folder: Path
    suite: Suite

    @property
    def root(self) -> Path:
        """Its file system."""
        return self.folder / "root"

    def packages_of(self, engine: str) -> Path:
        """Where an engine and what it needs is installed, as seen from outside."""
        return self.root / "opt" / engine

    def command(self, cpu: str, arguments, *, binds=None, environment=None) -> list[str]:
        """Return the command that runs a program in there.

        Args:
            cpu: what QEMU is to be; always named, its default gives wrong int8 results.
            arguments: the program and its arguments.
            binds: folders of this machine by where they are seen in there.
            environment: variables; nothing else of the environment gets in.
        """
        tools = self.folder / "tools"
        bound = {"/proc": "/proc", "/sys": "/sys", "/dev": "/dev", "/tmp": "/tmp"}  # noqa: S108
        bound |= {str(inside): str(outside) for inside, outside in (binds or {}).items()}
        for inside in bound:
            # Where one is missing, PRoot makes it, and removes it again while another PRoot
            # still looks for its files there.
            (self.root / inside.lstrip("/")).mkdir(parents=True, exist_ok=True)
        options = [
            word for inside, outside in bound.items() for word in ("-b", f"{outside}:{inside}")
        ]
        variables = {"HOME": "/root", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        variables |= environment or {}
        return [
            str(tools / "proot"),
            "-q",
            f"{tools / 'qemu-aarch64'} -cpu {cpu}",
            "-r",
            str(self.root),
            *options,
            "-w",
            "/",
            "/usr/bin/env",
            "-i",
            *(f"{name}={value}" for name, value in variables.items()),
            *map(str, arguments),
        ]

    def run(self, cpu, arguments, *, binds=None, environment=None, timeout=1000):
        """Run a program in there and return what it printed and how it ended."""
        command = self.command(cpu, arguments, binds=binds, environment=environment)
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={"LD_LIBRARY_PATH": str(self.folder / "tools"), "PATH": os.environ["PATH"]},
            start_new_session=True,
        ) as process:
            try:
                said = process.communicate(timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)  # the guest outlives its PRoot
                raise
        return subprocess.CompletedProcess(command, process.returncode, *said)


def build(name: str) -> Userland:
    """Return the userland of a suite; build it if it is not in the cache.

    Raises:
        NotAvailableError: this machine cannot build it; the message says why.
    """
    suite = SUITES[name]
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotAvailableError("the emulated Raspberry Pi needs Linux on x86-64")
    folder = cache_folder() / f"{name}-{_key(suite)}"
    if " " in str(folder):
        raise NotAvailableError(
            f"PRoot cannot start QEMU from a folder with a space in its name, {folder.parent}: "
            "set EDGE_PI_CACHE to another one"
        )
    userland = Userland(folder, suite)
    if folder.is_dir():
        return userland
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotAvailableError(f"the emulated Raspberry Pi needs {tool} to unpack Debian")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be building it
        if not folder.is_dir():
            _build(userland)
    return userland


def _build(userland: Userland) -> None:
    """Fill a folder beside the final one, and rename it when it is whole."""
    parent = userland.folder.parent
    with tempfile.TemporaryDirectory(dir=parent, prefix=".new-") as scratch:
        partial = Userland(Path(scratch) / "new", userland.suite)
        _fill(partial, Path(scratch))
        partial.folder.rename(userland.folder)


def _fill(userland: Userland, scratch: Path) -> None:
    mirror, root, tools = debian_mirror(), userland.root, userland.folder / "tools"
    for part in (root, tools):
        part.mkdir(parents=True)
    for archive in download(mirror, userland.suite.name, "arm64", GUEST_PACKAGES, scratch):
        unpack(archive, root)
    for link, target in (("usr/bin/sh", "dash"), ("usr/bin/python", "python3")):
        if not (root / link).exists():
            (root / link).symlink_to(target)
    _emulator(mirror, tools, scratch)
    for engine in userland.suite.engines:
        install(engine, userland.suite.python, userland.packages_of(engine))


def _emulator(mirror, tools: Path, scratch: Path) -> None:
    """Put qemu-aarch64 and proot with its library side by side."""
    wanted = {"qemu-aarch64": "qemu-user", "proot": "proot", "libtalloc.so.2": "libtalloc2"}
    unpacked = scratch / "tools"
    unpacked.mkdir()
    found = download(mirror, EMULATOR_SUITE, "amd64", ("qemu-user",), scratch, alone=True)
    found += download(mirror, mirror.suite, "amd64", ("proot", "libtalloc2"), scratch, alone=True)
    for archive in found:
        unpack(archive, unpacked)
    for name, package in wanted.items():
        files = [path for path in unpacked.rglob(name) if path.is_file()]
        if not files:
            raise NotAvailableError(f"Debian's {package} holds no {name}")
        shutil.copy(files[0], tools / name)


def cache_folder() -> Path:
    """Return where what was built is kept."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("EDGE_PI_CACHE") or home / "edge-toolkit" / "pi").absolute()


def _key(suite: Suite) -> str:
    """Name everything that decides what is built."""
    pins = {engine: requirements(engine, suite.python) for engine in suite.engines}
    text = json.dumps([_LAYOUT, EMULATOR_SUITE, GUEST_PACKAGES, suite.python, pins])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main() -> int:
    """Build a userland; run a command in it, or tell where it is and how to open a shell."""
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    given = _parser().parse_args(words[:end])
    try:
        userland = build(given.suite)
    except NotAvailableError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 3
    if end == len(words):
        _tell(userland)
        return 0
    # This checkout, so that `python3 -m runtime` is what lies here.
    variables = {
        "PYTHONPATH": f"{ROOT}:/opt/{given.engine}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    here = {str(ROOT): ROOT}
    command = userland.command(given.cpu, words[end + 1 :], binds=here, environment=variables)
    library = {"LD_LIBRARY_PATH": str(userland.folder / "tools")}
    return subprocess.run(command, check=False, env=os.environ | library).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        usage="%(prog)s SUITE [--cpu CPU] [--engine ENGINE] [-- COMMAND ...]",
    )
    parser.add_argument("suite", choices=SUITES, metavar="SUITE", help=" or ".join(SUITES))
    models = ", ".join(f"{cpu} ({model})" for cpu, model in CPUS.items())
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a76", metavar="CPU", help=models)
    engines = ", ".join(ENGINES)
    parser.add_argument(
        "--engine", choices=ENGINES, default="litert", metavar="ENGINE", help=engines
    )
    return parser


def _tell(userland: Userland) -> None:
    """Print where a userland is, what its engines take, and what to type."""
    print(userland.folder)
    for engine in userland.suite.engines:
        size = sum(installed_sizes(userland.packages_of(engine)).values())
        print(f"{engine}: {size / 1e6:.0f} MB in root/opt/{engine}", file=sys.stderr)
    typed = f"python {Path(__file__).relative_to(ROOT)} {userland.suite.name}"
    print(f"A shell:  {typed} -- bash", file=sys.stderr)
    print(f"A run:    {typed} --cpu cortex-a72 -- python3 -m runtime doctor", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
