"""The comparison of engines: that its short form works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def test_the_short_form_compares_engines_and_times_the_lookup(tmp_path):
    pytest.importorskip("ai_edge_litert")
    script = Path(__file__).with_name("engines.py")
    done = subprocess.run(
        [sys.executable, script, "--quick", "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    (file,) = record["files"]
    assert file["engines"][0]["one_ratio"] == 1.0
    assert all(one["one_ms"] > 0 for one in file["engines"])
    assert record["lookup_ms"]["remembered"] > 0
