"""What a shell completes: commands, options, their values and files."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

PAGE = Path(__file__).parents[1] / "docs/commands.md"
PROGRAMS = {"toolkit": "toolkit.cli", "runtime": "runtime.cli"}


def complete(program, typed, incomplete):
    main = importlib.import_module(PROGRAMS[program]).main
    found = ShellComplete(main, {}, program, "_X").get_completions(typed.split(), incomplete)
    return [one.value for one in found] if {one.type for one in found} != {"file"} else "files"


@pytest.mark.parametrize(
    ("program", "typed", "incomplete", "wanted"),
    [
        ("toolkit", "", "ex", ["export", "explain"]),
        ("toolkit", "export", "--form", ["--format"]),
        ("toolkit", "export --format", "onnx-i", ["onnx-int8"]),
        ("toolkit", "ensemble --format", "onnx-i", ["onnx-int8"]),
        ("toolkit", "export --calibration-method", "p", ["percentile"]),
        ("toolkit", "train --architecture", "res", ["resnet20"]),
        ("toolkit", "train --optimizer", "adam", ["adam", "adamw"]),
        ("toolkit", "train --schedule", "", ["plateau", "cosine"]),
        ("toolkit", "train --padding", "v", ["valid"]),
        ("toolkit", "train --precision", "m", ["mixed_bfloat16"]),
        ("toolkit", "train --dataset", "f", ["fashion-mnist", "folder"]),
        ("toolkit", "train --fit", "p", ["pad"]),
        ("toolkit", "train --polarity", "i", ["invert"]),
        ("toolkit", "verify --backend", "a", ["auto", "all"]),
        ("toolkit", "verify --device", "", ["cpu", "gpu", "auto"]),
        ("toolkit", "evaluate --backend", "lit", ["litert"]),
        ("toolkit", "bench --backend", "onnx", ["onnxruntime"]),
        ("toolkit", "report --backend", "open", ["openvino"]),
        ("toolkit", "runs --sort", "acc", ["accuracy"]),
        ("toolkit", "export", "runs/", "files"),
        ("toolkit", "train --from", "runs/", "files"),
        ("runtime", "predict m.tflite --backend", "tf", ["tflite-runtime"]),
        ("runtime", "predict m.tflite --fit", "c", ["center-of-mass"]),
        ("runtime", "predict m.tflite --provider", "cu", ["cuda"]),
        ("runtime", "bench m.tflite --precision", "", ["float32", "float16"]),
        ("toolkit", "bench m.tflite --scenario", "s", ["single-stream"]),
        ("runtime", "doctor --device", "g", ["gpu"]),
        ("runtime", "predict", "m.tf", "files"),
        ("runtime", "predict m.tflite", "im", "files"),
    ],
)
def test_values_are_completed(program, typed, incomplete, wanted):
    assert complete(program, typed, incomplete) == wanted


def test_a_value_that_no_shell_knows_is_still_taken(toolkit_cli, tmp_path):
    result = toolkit_cli("train", "--dataset", "digits", "--architecture", "no.such:thing")
    assert result.exit_code == 2
    assert "no.such" in result.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_with_the_line_that_the_page_names():
    line = 'eval "$(_TOOLKIT_COMPLETE=zsh_source toolkit)"'
    assert line in PAGE.read_text(encoding="utf-8")
    asked = f"autoload -Uz compinit; compinit -D; {line}; print $_comps[toolkit]"
    assert _run(["zsh", "-f", "-c", asked]).strip() == "_toolkit_completion"


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_with_the_line_that_the_page_names():
    line = "_TOOLKIT_COMPLETE=fish_source toolkit | source"
    assert line in PAGE.read_text(encoding="utf-8")
    asked = f'{line}; complete -C "toolkit export --format tflite-i"'
    assert _run(["fish", "-c", asked]).split() == ["tflite-int8", "tflite-int16x8"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_with_the_line_that_the_page_names():
    line = 'eval "$(_TOOLKIT_COMPLETE=bash_source toolkit)"'
    assert line in PAGE.read_text(encoding="utf-8")
    asked = (
        f"{line}; COMP_WORDS=(toolkit export --format tflite-i); COMP_CWORD=3; "
        '_toolkit_completion toolkit tflite-i --format; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert _run(["bash", "-c", asked]).split() == ["tflite-int8", "tflite-int16x8"]


def test_completing_imports_no_tensorflow():
    code = (
        "import sys\nfrom click.shell_completion import ShellComplete\n"
        "from toolkit.cli import main\n"
        "ShellComplete(main, {}, 't', 'X').get_completions(['train', '--architecture'], 'r')\n"
        "print([m for m in ('tensorflow', 'keras', 'onnx') if m in sys.modules])"
    )
    assert _run([sys.executable, "-c", code]).strip() == "[]"


def _run(command, **variables):
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": search} | variables
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout
