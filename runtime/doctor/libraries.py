"""Diagnoses of errors of the dynamic loader, with the command that fixes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runtime.doctor.engine import Diagnosis

if TYPE_CHECKING:
    from runtime.doctor.engine import Evidence
    from runtime.workers.probe import Probe

_MISSING = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_SYMBOLS = re.compile(r"version [`'](\w+_[\d.]+)' not found")
_PAGES = "ELF load command"  # "… alignment not page-aligned", "… address/offset not …"
_FOREIGN = ("wrong ELF class", "invalid ELF header")
_PACKAGES = {  # Debian's package of a library
    "libstdc++.so.6": "libstdc++6",
    "libgomp.so.1": "libgomp1",
    "libatomic.so.1": "libatomic1",
    "libopenblas.so.0": "libopenblas0",
    "libgfortran.so.5": "libgfortran5",
}


def diagnose(evidence: Evidence, probe: Probe) -> Diagnosis | None:
    """Return the problem of an engine's libraries; None if it is another one.

    Args:
        evidence: the facts about the engine.
        probe: the result of the process.

    Example::

        if found := diagnose(evidence, probe):
            print(found.problem, found.fix)
    """
    text = f"{probe.error}\n{probe.stderr}"
    # pip takes the newest wheel that fits the processor and the C library
    reinstall = f"pip install --force-reinstall --no-deps {evidence.backend.package}"
    if missing := _MISSING.search(text):
        return _not_found(evidence, missing[1], reinstall)
    if symbols := _SYMBOLS.search(text):
        return Diagnosis(
            f"{evidence.title} requires {symbols[1]}, this system has an older one", reinstall
        )
    if _PAGES in text:
        size = evidence.host.page_size // 1024
        problem = f"{evidence.title} has a library that does not fit memory pages of {size} KB"
        return Diagnosis(problem, _small_pages(evidence, reinstall))
    if any(words in text for words in _FOREIGN):
        problem = f"{evidence.title} was installed for another kind of processor"
        return Diagnosis(problem, reinstall)
    return None


def _not_found(evidence: Evidence, library: str, reinstall: str) -> Diagnosis:
    problem = f"{evidence.title} needs {library}, which is not on this machine"
    package = _PACKAGES.get(library)
    return Diagnosis(problem, f"sudo apt install {package}" if package else reinstall)


def _small_pages(evidence: Evidence, reinstall: str) -> str:
    """Return the fix: a Raspberry Pi 5 boots a kernel with pages of 16 KB, and has one with 4 KB.

    Source: Raspberry Pi documentation, config.txt, "kernel"; raspberrypi/bookworm-feedback
    issue 107. The wheels of the three engines are aligned to 64 KB and work with both.
    """
    if "Raspberry Pi" not in (evidence.host.board or ""):
        return reinstall
    return "echo kernel=kernel8.img | sudo tee -a /boot/firmware/config.txt && sudo reboot"
