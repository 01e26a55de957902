"""Debian packages of any architecture and release, without touching the machine's own."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 300
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")  # of Debian's package of it


class NotAvailableError(RuntimeError):
    """This machine cannot build an emulated Raspberry Pi; the message says why."""


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from.

    Attributes:
        address: of the archive.
        suite: the release that the machine itself runs.
    """

    address: str
    suite: str


def debian_mirror() -> Mirror:
    """Read the machine's own apt sources.

    Raises:
        NotAvailableError: they name no Debian archive.
    """
    # What an update would fetch: nothing is fetched, and no lists need to be there.
    listed = _run(["apt-get", "update", "--print-uris", "-o", "Debug::NoLocking=true"])
    found = re.search(r"'(\S+/debian/)dists/([a-z]+)/InRelease'", listed)
    if found:
        return Mirror(*found.groups())
    raise NotAvailableError(
        "the apt sources of this machine name no Debian archive, from which the emulated "
        "Raspberry Pi is unpacked"
    )


def download(mirror, suite, architecture, packages, scratch: Path, *, alone=False) -> list[Path]:
    """Download packages, with all they need unless ``alone``.

    Raises:
        NotAvailableError: the archive cannot be reached, or holds no such package.
    """
    home = scratch / f"apt-{suite}-{architecture}"
    options = _private_apt(mirror, suite, architecture, home)
    if not (home / "updated").exists():
        _run(["apt-get", *options, "update"])
        (home / "updated").touch()
    archives = home / "archives"
    if alone:
        _run(["apt-get", *options, "download", *packages], cwd=archives)
        return [path for name in packages for path in archives.glob(f"{name}_*.deb")]
    options += ["--yes", "--no-install-recommends", "--download-only"]
    _run(["apt-get", *options, "install", *packages])
    return sorted(archives.glob("*.deb"))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the files of a package; its scripts are not run."""
    # A root in a container may not give files away; everybody else does not try.
    environment = os.environ | {"TAR_OPTIONS": "--no-same-owner"}
    _run(["dpkg-deb", "--extract", str(archive), str(folder)], env=environment)


def _private_apt(mirror: Mirror, suite: str, architecture: str, home: Path) -> list[str]:
    """Make an apt of its own: lists, cache and an empty record of what is installed."""
    for part in ("lists/partial", "archives/partial"):
        (home / part).mkdir(parents=True, exist_ok=True)
    status, sources = home / "status", home / "sources.list"
    status.touch()
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    sources.write_text(f"deb {signed}{mirror.address} {suite} main\n")
    settings = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",  # an archive that does not answer is an error
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": home,
        "Dir::State::lists": home / "lists",
        "Dir::State::status": status,
        "Dir::Cache": home,
        "Dir::Cache::archives": home / "archives",
        "Debug::NoLocking": "true",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _run(command: list[str], **options) -> str:
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_SECONDS, **options
        )
    except subprocess.TimeoutExpired:
        raise NotAvailableError(f"{command[0]} has not answered after {_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no message"]
        reason = next((line for line in said if line.startswith("E: ")), said[-1])
        raise NotAvailableError(f"{command[0]} failed for the emulated Raspberry Pi: {reason}")
    return done.stdout
