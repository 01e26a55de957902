"""The script that measures many images on all cores runs and tells what its text says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODEL = HERE.parents[1] / "examples" / "models" / "mnist-cnn.int8.tflite"


def test_the_script_prints_its_figures():
    pytest.importorskip("ai_edge_litert")
    command = [sys.executable, HERE / "throughput.py", MODEL, "--quick", "--threads", "1,2"]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert len(table.splitlines()) == 17
    found = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(found.stdout)["rows"]
    assert [(row["what"], row["threads"]) for row in rows[:6]] == [
        ("array", 1),
        ("array", 2),
        ("stream", 1),
        ("stream", 2),
        ("photos", 1),
        ("photos", 2),
    ]
    for row in rows:
        assert all(row[key] > 0 for key in ("images_per_second", "best", "gain", "cpu_us"))
