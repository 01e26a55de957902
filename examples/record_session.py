"""Draw examples/session.svg: the commands of the README, run in a fresh folder, and their output.

Run it from the root of a checkout: python examples/record_session.py
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich import terminal_theme
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
IMAGES = ("zero.png", "four.png", "seven.png")
COMMANDS = (
    "toolkit train --dataset digits --epochs 8",
    "toolkit export --format tflite-int8",
    "toolkit verify",
    f"runtime predict runs/latest/exports/digits-cnn.int8.tflite {' '.join(IMAGES)}",
)
COLUMNS = 92


def record(target: Path, commands: tuple[str, ...] = COMMANDS) -> None:
    """Run the commands in a fresh folder and draw what they print.

    Args:
        target: the SVG file to write.
        commands: as command lines.

    Raises:
        subprocess.CalledProcessError: one failed.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        for name in IMAGES:
            shutil.copy(HERE / "images" / name, folder)
        for command in commands:
            console.print(Text(f"$ {command}", "bold cyan"))
            console.print(Text(_run(command, folder)))
    svg = console.export_svg(title="edge-toolkit", theme=terminal_theme.DIMMED_MONOKAI)
    # rich's font would be fetched from a server; every line states its length, so any font fits
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


def _run(command: str, folder: str) -> str:
    program, *arguments = shlex.split(command)
    full = [str(Path(sys.executable).parent / program), *arguments]
    variables = os.environ | {"COLUMNS": str(COLUMNS)}
    done = subprocess.run(
        full,
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    record(HERE / "session.svg")
