"""What docs/gpu.md shows of a machine without a GPU is what such a machine says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.backends.gpu.adapters import vulkan_loader
from runtime.backends.gpu.onnxruntime import present
from runtime.backends.litert import LiteRt
from runtime.backends.providers import PROVIDERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/gpu.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```text\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)[0]


@pytest.mark.parametrize("entry", SHOWN.split("$ ")[1:])
def test_the_shown_output_is_real(entry):
    ort = pytest.importorskip("onnxruntime")
    if vulkan_loader() is not None or present(ort) or not LiteRt.installed():
        pytest.skip("the page shows a machine with both engines, without Vulkan and providers")
    command, *wanted = entry.splitlines()
    if f"onnxruntime {ort.__version__}" not in entry and "onnxruntime " in "".join(wanted):
        pytest.skip("the page was written with another onnxruntime")
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr + done.stdout).strip() == "\n".join(wanted).strip()
    assert done.returncode == (0 if "auto" in command else 3)


def test_every_provider_is_in_the_table_in_its_order():
    rows = re.findall(r"^\| onnxruntime \| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert rows == [provider.name for provider in PROVIDERS]


def test_every_extra_exists_and_the_python_block_runs():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r"edge-toolkit\[([a-z-]+)\]", PAGE)) <= set(
        project["optional-dependencies"]
    )
    pytest.importorskip("ai_edge_litert")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] in {"cpu", "gpu"}


def test_the_limits_shown_are_those_of_the_gate():
    from exporters.budget import ON_GPU

    for precision, limits in ON_GPU.items():
        row = re.search(rf"^\| {precision} \|(.*)\|$", PAGE, flags=re.MULTILINE)[1]
        shown = [float(cell) for cell in row.split("|")]
        names = ("max_drop", "min_agreement", "max_abs_error", "tie_margin", "max_mean_error")
        assert shown == [getattr(limits, name) for name in names]
