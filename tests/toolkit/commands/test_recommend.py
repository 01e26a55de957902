"""``toolkit recommend`` as a user types it."""

import json
import shutil

import pytest

from runtime.errors import InputError
from toolkit.commands.recommend import parse_size
from toolkit.recommend import measure


@pytest.fixture(autouse=True)
def timed_shortly(monkeypatch):
    """Time each file for a tenth of a second."""
    timed = measure.measure_interleaved
    monkeypatch.setattr(measure, "measure_interleaved", lambda runs, _: timed(runs, 0.1))


@pytest.fixture
def asked(toolkit_cli, digits_run):
    """Run the command on the trained run and 60 test images."""
    return lambda *arguments: toolkit_cli(
        "recommend", "--against", digits_run.path, "--limit", 60, *arguments
    )


def test_one_file_is_recommended_with_its_reason(asked, exports):
    files = (exports["tflite"], exports["tflite-int8"])
    result = asked(*files, "--max-size", "1.5MB", "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    path = str(exports["tflite-int8"])
    assert record["recommended"] == {"format": "tflite-int8", "path": path, "backend": "litert"}
    assert "tflite-int8" in record["why"]
    assert f"runtime predict {path} IMAGE" in result.stderr
    large, small = record["artifacts"]
    assert large["excluded"] == [f"{large['bytes']:,} bytes are more than --max-size 1,500,000"]
    assert small["excluded"] == []
    assert small["pareto"] is True
    assert small["bytes"] == exports["tflite-int8"].stat().st_size
    assert small["latency_ms"] > 0
    assert small["peak_memory_mb"] > 20
    assert record["machine"]["cores"] >= 1
    assert isinstance(record["notes"], list)


def test_the_table_marks_the_chosen_one_and_fits_the_terminal(asked, exports, monkeypatch):
    monkeypatch.setattr("runtime.host.facts.cpu_name", lambda _: "A Processor of Many Words " * 4)
    result = asked(exports["tflite-int8"], exports["onnx"], "--backend", "all")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    rows = [line for line in lines if line.strip().startswith(("→", "tflite-", "onnx "))]
    assert max(map(len, lines[: len(rows) + 6])) <= 80
    (marked,) = [line for line in lines if "→" in line]
    assert marked.rstrip().endswith("chosen")
    assert any(line.startswith("Recommended: ") for line in lines)
    assert "--backend" in result.stderr


def test_all_exports_of_the_latest_run_are_the_default(toolkit_cli, two_exports, monkeypatch):
    run, names = two_exports
    monkeypatch.chdir(run.parent.parent)
    result = toolkit_cli("recommend", "--limit", 40, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert [entry["format"] for entry in record["artifacts"]] == names


def test_nothing_that_passes_ends_with_exit_code_1_and_the_way_on(asked, exports, digits_run):
    result = asked(exports["tflite-int8"], "--max-size", 900, "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert record["recommended"] is None
    size = exports["tflite-int8"].stat().st_size
    assert f"--against {digits_run.path} --backend litert --max-size {size}" in result.stderr
    text = asked(exports["tflite-int8"], "--max-size", 900)
    assert "Nothing to recommend: the file does not pass" in text.stdout


def test_a_gate_that_is_too_strict_for_int8_names_the_export_that_mends(
    asked, exports, tmp_path, digits_run
):
    config = tmp_path / "limits.toml"
    config.write_text("[tool.edge-toolkit.parity]\nmax-abs-error = 1e-9\n")
    result = asked(exports["tflite-int8"], "--config", config)
    assert result.exit_code == 1
    assert "fails the parity gate" in result.stdout
    mend = f"toolkit export {digits_run.path} --format tflite-int8 --max-drop 0.1"
    assert mend in result.stderr


def test_an_engine_that_takes_none_of_the_files_is_told(asked, exports):
    result = asked(exports["tflite"], "--backend", "onnxruntime")
    assert result.exit_code == 3
    assert "runs .onnx files" in result.stderr
    assert "--backend auto" in result.stderr


def test_files_of_one_format_are_told_apart_by_name(asked, exports, tmp_path):
    copy = tmp_path / "other.int8.tflite"
    shutil.copy(exports["tflite-int8"], copy)
    result = asked(exports["tflite-int8"], copy)
    assert result.exit_code == 0, result.stderr
    assert "other.int8" in result.stdout
    assert "digits-cnn.int8" in result.stdout


def test_a_device_that_is_not_there_ends_with_exit_code_3(asked, exports):
    result = asked(exports["tflite"], "--device", "gpu")
    assert result.exit_code == 3
    assert "no GPU support" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-drop", "-1"), "--max-drop is in points"),
        (("--max-drop", "nan"), "--max-drop is in points"),
        (("--max-size", "big"), "900KB or 1.5MB, not 'big'"),
        (("--max-size", "0"), "at least 1 byte"),
        (("--backend", "litrt"), "Did you mean 'litert'"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--limit", "0"), "--limit must be at least 1"),
        (("gone.tflite",), "no such file or folder: gone.tflite"),
    ],
)
def test_bad_input_ends_in_one_line(asked, exports, arguments, words):
    file = () if arguments[0].endswith(".tflite") else (exports["tflite"],)
    result = asked(*file, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_the_help_documents_the_rule(toolkit_cli):
    text = " ".join(toolkit_cli("recommend", "--help").stdout.split())
    assert "fastest is recommended; of those within 10 % of the fastest, the smallest" in text
    assert "exit code 1" in text


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("900000", 900_000),
        ("900KB", 900_000),
        ("1.5MB", 1_500_000),
        ("1.5 mb", 1_500_000),
        ("2MiB", 2 * 1024**2),
        ("1KiB", 1024),
        ("100b", 100),
        ("1GB", 10**9),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1.5.2MB", "-1", "1e6", "1TB", "900k"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(InputError, match="takes bytes"):
        parse_size(text)
