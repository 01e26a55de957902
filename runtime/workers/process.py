"""How this package starts a Python of its own: for what may end a process, or must be fresh."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOME = Path(__file__).parents[2]


def command(module: str, *arguments: str, python: str = sys.executable) -> list[str]:
    """Return the command that runs a module of this package.

    Args:
        module: its import name.
        *arguments: for it.
        python: the interpreter.
    """
    # -P: a folder called "runtime" where the user stands must not be imported.
    return [python, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment in which this package is found, and everything else as here.

    A checkout stands last in the search path: what the user put before it comes first there,
    too. An installed package is found anyway.
    """
    variables = dict(os.environ)
    if str(_HOME) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        search = filter(None, [os.environ.get("PYTHONPATH"), str(_HOME)])
        variables["PYTHONPATH"] = os.pathsep.join(search)
    return variables


def run(arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command made by :func:`command` and return what it printed and how it ended.

    Raises:
        subprocess.TimeoutExpired: it takes longer.
    """
    settings: dict[str, Any] = {"capture_output": True, "text": True, "errors": "replace"}
    return subprocess.run(  # noqa: S603 - our own module, no shell
        arguments, check=False, env=environment(), timeout=seconds, **settings
    )


def last_json(text: str) -> dict[str, Any]:
    """Return the last line of an output as an object; engines may have printed before it.

    Args:
        text: what a process printed.

    Returns:
        The object; empty where the last line is none.
    """
    lines = text.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
