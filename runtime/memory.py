"""How much memory a model file takes: asked of a fresh process, as a device would start one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from runtime import artifact as artifacts
from runtime.backends import AUTO, BackendOptions
from runtime.classifier import from_artifact
from runtime.errors import BackendError, EdgeError

_CHILD_SECONDS = 120.0


def peak_memory(
    path: Path | str, backend: str = AUTO, options: BackendOptions | None = None
) -> float:
    """Return the most memory that a fresh process needs to load a file and predict once.

    Python, numpy and the engine are included: that is what a device has to hold.

    Args:
        path: a model file.
        backend: an engine, or ``auto``.
        options: device and threads.

    Returns:
        Resident memory in MB (1,000,000 bytes).

    Raises:
        InputError: no such file.
        ArtifactError: the file is damaged.
        BackendError: the file does not run in a process of its own.
    """
    file = artifacts.read(path)  # what is wrong with the file itself is told by its own error
    options = options or BackendOptions()
    arguments = [str(file.path), backend, options.device, str(options.threads)]
    return _ask_child(file.path.name, arguments)


def colon_fields(text: str) -> dict[str, str]:
    """Read the lines ``key : value`` of a file in /proc; of equal keys the last one counts."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _ask_child(name: str, arguments: list[str]) -> float:
    # -P: a folder called "runtime" where the user stands must not be imported.
    command = [sys.executable, "-P", "-m", "runtime.memory", *arguments]
    home = str(Path(__file__).parents[1])
    search = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell
            command,
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": search},
            timeout=_CHILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"{name} has not answered after {_CHILD_SECONDS:g} s") from None
    answer = _last_json(done.stdout)
    if "peak_mb" in answer:
        return float(answer["peak_mb"])
    reason = answer.get("error") or f"the process ended with code {done.returncode}"
    raise BackendError(f"{name} does not run in a process of its own: {reason}")


def _last_json(text: str) -> dict[str, Any]:
    """Return the last line as an object; engines may have printed before it."""
    lines = text.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _child(path: str, backend: str, device: str, threads: str) -> dict[str, Any]:
    """Load a file, predict once and return the peak, in the fresh process."""
    try:
        artifact = artifacts.read(path)
        with from_artifact(artifact, backend, BackendOptions(device, int(threads))) as classifier:
            classifier.predict_batch(np.zeros((1, *classifier.spec.shape), np.uint8))
    except EdgeError as error:
        return {"error": str(error)}
    return {"peak_mb": round(_own_peak() / 1e6, 1)}


def _own_peak() -> int:
    """Return the highest resident memory of this process so far, in bytes.

    ``ru_maxrss`` starts with the size of the program that started this one (getrusage(2):
    it is kept over execve), so it serves only where the kernel tells nothing better.
    """
    try:
        fields = colon_fields(Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(_child(*sys.argv[1:])) + "\n")
