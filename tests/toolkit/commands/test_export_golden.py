"""``toolkit export`` over files that hold golden inputs."""

import re
import shlex

from runtime.modelfile import artifact as artifacts


def test_golden_inputs_that_go_with_an_old_file_are_told(toolkit_cli, own, tmp_path):
    keras, *data = own
    command = ("export", *own, "--format", "tflite", "--out", tmp_path)
    assert "golden inputs" not in toolkit_cli(*command).stderr
    file = tmp_path / "colors.float32.tflite"
    proven = toolkit_cli("verify", file, "--against", keras, *data, "--golden")
    assert proven.exit_code == 0, proven.output
    (tmp_path / "damaged.onnx").write_bytes(b"no model")
    result = toolkit_cli(*command)
    assert result.exit_code == 0
    said = " ".join(result.stderr.split())
    assert f"{file.name} had golden inputs and a verdict" in said
    assert artifacts.read(file).manifest.golden is None
    typed = re.search(r"(verify .* --scale 1.0)", said).group(1)
    assert toolkit_cli(*shlex.split(typed)).exit_code == 0
    assert artifacts.read(file).manifest.golden is not None
    refused = toolkit_cli(*command, "--format", "onnx", "--per-tensor")
    assert refused.exit_code != 0


def test_lost_golden_inputs_are_told_where_another_format_fails(toolkit_cli, own, tmp_path):
    keras, *data = own
    command = ("export", *own, "--format", "tflite-int8", "--out", tmp_path)
    assert toolkit_cli(*command).exit_code == 0
    file = tmp_path / "colors.int8.tflite"
    assert toolkit_cli("verify", file, "--against", keras, *data, "--golden").exit_code == 0
    result = toolkit_cli(*command, "--format", "tflite", "--per-tensor")
    assert result.exit_code == 1
    assert "cannot quantize per tensor" in result.stderr
    assert f"{file.name} had golden inputs" in " ".join(result.stderr.split())
