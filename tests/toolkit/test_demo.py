"""The whole path on real digits."""

import json
from pathlib import Path

import pytest

from exporters.formats import registry
from toolkit.demo import EPOCHS


def test_the_documented_number_of_epochs():
    assert EPOCHS == 12


@pytest.mark.slow
def test_the_demo_trains_exports_and_verifies_everything(toolkit_cli, tmp_path):
    result = toolkit_cli("demo", "--epochs", 4, "--out", tmp_path / "runs", "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["verdict"] == "pass"
    assert {entry["format"] for entry in record["artifacts"]} == set(registry())
    run = Path(record["run"])
    assert run.parent == tmp_path / "runs"
    page = Path(record["report"])
    assert page == run / "report.html"
    text = page.read_text(encoding="utf-8")
    assert all(name in text for name in registry())
    assert "litert" in text
    assert len(list((run / "exports").iterdir())) == len(registry())
    assert "Next: runtime predict" in result.stderr
    assert "digits-cnn.int8.tflite" in result.stderr
    verified = toolkit_cli("verify", "--against", run, "--limit", 20)
    assert verified.exit_code == 0
