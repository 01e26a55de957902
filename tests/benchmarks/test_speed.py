"""The scripts that measure speed: each runs, and prints what its text promises."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROMISED = {
    "overhead": ("engine_us", "hand_us", "ours_us", "ratio"),
    "preprocessing": ("decode_us", "whole_us", "best_us"),
    "cold_start": ("ours_ms", "hand_ms", "ours_mb", "hand_mb", "time_ratio", "memory_ratio"),
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_script_prints_its_figures(name):
    for module in ("ai_edge_litert", "onnxruntime"):
        pytest.importorskip(module)
    command = [sys.executable, HERE / f"{name}.py", "--quick"]
    found = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(found.stdout)
    assert len(rows) >= 3
    for row in rows:
        assert all(row[figure] > 0 for figure in PROMISED[name])


def test_a_table_fits_a_terminal():
    command = [sys.executable, HERE / "preprocessing.py", "--quick"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = found.stdout.splitlines()
    assert len(lines) == 8
    assert len(set(map(len, lines))) == 1
    assert len(lines[0]) <= 80
