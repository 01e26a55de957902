"""A wrong command line ends in one line, before a heavy library is imported.

All lines run in one child process, in which importing a heavy library ends the command.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

import runtime.cli
import toolkit.cli

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "models"
PROGRAMS = {"runtime": runtime.cli.main, "toolkit": toolkit.cli.main}
HEAVY = (
    "ai_edge_litert",
    "keras",
    "litert_quantizer",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "openvino",
    "scipy",
    "sklearn",
    "tensorflow",
    "tf2onnx",
    "tflite_runtime",
)

# A command line, and what its error says; with "3:" it ends with that code, else with 2.
BAD = """
toolkit trian                                           | Did you mean 'train'?

toolkit train --dataset mnst                            | Did you mean 'mnist'?
toolkit train --dataset folder                          | --dataset folder needs --data FOLDER
toolkit train --dataset npz                             | --dataset npz needs --data FILE.npz
toolkit train --dataset mnist --data tiny.npz           | must be uint8 (60000, 28, 28)
toolkit train --dataset mnist --image-size 32           | only image folders are resized
toolkit train --dataset digits --channels 3             | only image folders are resized
toolkit train --dataset cifar10 --image-size 28         | only image folders are resized
toolkit train --dataset cifar10 --data note.txt         | is not the binary version of CIFAR-10
toolkit train --dataset cifar10 --data empty            | data_batch_1.bin: no such file
toolkit train --data tinny.npz                          | Did you mean 'tiny.npz'?
toolkit train --data note.txt                           | note.txt is not a readable .npz file
toolkit train --data empty                              | expected one sub-folder per class, found 0
toolkit train --data empty --image-size 0x3             | neither like 32 nor like 32x48
toolkit train --data tiny.npz --image-size 32           | requested 32x32x1
toolkit train --data tiny.npz --channels 2              | must be 1 (grey) or 3 (RGB), not 2
toolkit train --data tiny.npz --fit padd                | Did you mean 'pad'?
toolkit train --data tiny.npz --polarity inverted       | Did you mean 'invert'?
toolkit train --config typo.toml                        | Did you mean 'epochs'?
toolkit train --config range.toml                       | --epochs must be at least 1, not 0
toolkit train --config kind.toml                        | epochs takes a whole number, not "3"
toolkit train --config note.txt                         | is no TOML
toolkit train --config gone.toml                        | no such file or folder: gone.toml
toolkit train --architecture tutorial-cn                | Did you mean 'tutorial-cnn'?
toolkit train --architecture no_nets:small              | no module named 'no_nets'
toolkit train --architecture :small                     | cannot be imported
toolkit train --architecture resnet20 --padding valid   | not made for padding 'valid'
toolkit train --padding vali                            | Did you mean 'valid'?
toolkit train --epochs -1                               | --epochs must be at least 1, not -1
toolkit train --epochs three                            | 'three' is not a valid integer
toolkit train --batch-size 0                            | --batch-size must be at least 1, not 0
toolkit train --optimizer adan                          | Did you mean 'adam'?
toolkit train --learning-rate nan                       | must be positive, not nan
toolkit train --momentum 0.9                            | optimizer adam takes no --momentum
toolkit train --optimizer sgd --momentum 1              | --momentum must lie in [0, 1)
toolkit train --weight-decay -1                         | --weight-decay must lie in [0, 1)
toolkit train --schedule cosin                          | Did you mean 'cosine'?
toolkit train --plateau-factor 1                        | plateau factor must lie between 0 and 1
toolkit train --plateau-patience 0                      | its patience be at least 1
toolkit train --schedule cosine --plateau-factor 0.3    | has no effect with --schedule cosine
toolkit train --warmup 30                               | between 0 and 29 for 30 epochs, not 30
toolkit train --rotate 20                               | --rotate has no effect without --augment
toolkit train --augment --rotate 180                    | --rotate takes 0 to less than 180
toolkit train --augment --shift 100                     | --shift takes 0 to less than 100
toolkit train --augment --zoom -1                       | --zoom takes 0 to less than 100
toolkit train --validation-split 1                      | must lie in [0, 1), not 1
toolkit train --seed -1                                 | must lie between 0 and 2**32 - 1, not -1
toolkit train --limit 0                                 | --limit must be at least 1, not 0
toolkit train --precision mixed                         | Did you mean 'mixed_bfloat16'?
toolkit train --freeze 2                                | name that model by --from RUN
toolkit train --from runs/c                             | no such file or folder: runs/c
toolkit train --from note.txt                           | is not a finished run folder
toolkit train --from fake.keras                         | fake.keras is damaged, or no Keras file
toolkit train --from runs/a --padding valid             | --padding has no effect with --from
toolkit train --from runs/a --architecture resnet20     | --architecture has no effect with --from
toolkit train --out note.txt                            | --out note.txt is no folder
toolkit train --out note.txt/runs                       | note.txt is no folder
toolkit train --resume runs/a                           | runs/a is finished; nothing to resume
toolkit train --resume note.txt                         | holds no checkpoint; nothing to resume
toolkit train --resume empty --epochs 3                 | --epochs is set there

toolkit evaluate gone                                   | no such file or folder: gone
toolkit evaluate note.txt                               | no run folder and no .keras file
toolkit evaluate empty                                  | empty is not a finished run folder
toolkit evaluate broken.tflite --against runs/a         | its SHA-256 does not match its content
toolkit evaluate fake.keras --data tiny.npz             | fake.keras is damaged, or no Keras file
toolkit evaluate own.keras                              | does not record its training data
toolkit evaluate own.keras --data note.txt              | note.txt is not a readable .npz file
toolkit evaluate own.keras --dataset mnst               | Did you mean 'mnist'?
toolkit evaluate runs/a --image-size 32                 | its size cannot be changed
toolkit evaluate runs/a --channels 3                    | its size cannot be changed
toolkit evaluate runs/a --fit padd                      | Did you mean 'pad'?
toolkit evaluate runs/a --polarity inverted             | Did you mean 'invert'?
toolkit evaluate runs/a --name a/b                      | 'a/b' cannot be a file name
toolkit evaluate runs/a --labels a,b                    | has 10 classes, but there are 2 labels
toolkit evaluate runs/a --labels a,b,a                  | --labels names 'a' twice
toolkit evaluate runs/a --labels gone.txt               | --labels takes a,b,c or a text file
toolkit evaluate runs/a --scale 0                       | must be finite and not zero
toolkit evaluate runs/a --mean 1,2                      | mean needs 1 or 3 values, not 2
toolkit evaluate runs/a --mean 1,2,3                    | values, not 3
toolkit evaluate runs/a --std 0                         | must be finite and not zero
toolkit evaluate m.tflite --all                         | --all goes with a run folder
toolkit evaluate --against runs/a                       | --against goes with a model file
toolkit evaluate m.tflite --against note.txt            | no run folder and no .keras file
toolkit evaluate --backend litertt                      | Did you mean 'litert'?
toolkit evaluate m.tflite --against runs/a --backend onnxruntime | 3: runs .onnx files, not m.tflite
toolkit evaluate runs/b --all                           | no model files in runs/b/exports
toolkit evaluate --limit 0                              | --limit must be at least 1, not 0
toolkit evaluate --out note.txt                         | --out note.txt is no folder

toolkit export gone                                     | no such file or folder: gone
toolkit export note.txt                                 | no run folder and no .keras file
toolkit export own.keras                                | does not record its training data
toolkit export --format int8                            | Did you mean 'tflite-int8'?
toolkit export --format tflite-int8 --all               | use --format or --all, not both
toolkit export --format tflite --per-tensor             | cannot quantize per tensor: no
toolkit export --format tflite --calibration-method mse | format tflite is not calibrated
toolkit export --calibration-method entropi             | Did you mean 'entropy'?
toolkit export --calibration-samples 0                  | needs at least 1 image, not 0
toolkit export --seed -1                                | the seed must not be negative, not -1
toolkit export --max-drop nan                           | 0…100, not nan
toolkit export --max-drop 1 --force                     | choose one
toolkit export --out note.txt                           | --out note.txt is no folder
toolkit export --dataset mnst                           | Did you mean 'mnist'?

toolkit verify note.txt                                 | a model file ends in .onnx or .tflite
toolkit verify n.tflite                                 | Did you mean 'm.tflite'?
toolkit verify broken.tflite                            | its SHA-256 does not match its content
toolkit verify m.tflite --against empty                 | empty is not a finished run folder
toolkit verify --against runs/b                         | no model files in runs/b/exports
toolkit verify --backend litertt                        | Did you mean 'litert'?
toolkit verify m.tflite --backend onnxruntime           | 3: runs .onnx files, not m.tflite
toolkit verify --device gpuu                            | Did you mean 'gpu'?
toolkit verify --precision float16                      | are for --device gpu or auto
toolkit verify --device gpu --precision float8          | unknown precision 'float8'
toolkit verify --device gpu --provider cudaa            | Did you mean 'cuda'?
toolkit verify --threads 0                              | threads must be at least 1, not 0
toolkit verify --limit 0                                | --limit must be at least 1, not 0
toolkit verify --flips note.txt                         | --flips note.txt is no folder
toolkit verify --max-drop -1                            | 0…100, not -1
toolkit verify --min-agreement 2                        | min-agreement lies in 0…1, not 2
toolkit verify --max-abs-error nan                      | max-abs-error lies in 0…1, not nan
toolkit verify --max-mean-error 2                       | max-mean-error lies in 0…1, not 2
toolkit verify --max-kl -1                              | max-kl
toolkit verify --min-cosine 2                           | min-cosine
toolkit verify --min-sqnr nan                           | min-sqnr
toolkit verify --tie-margin 2                           | tie-margin lies in 0…1, not 2
toolkit verify --config limit-typo.toml                 | Did you mean 'max-drop'?
toolkit verify --config limit-range.toml                | 0…100, not -1
toolkit verify --config note.txt                        | is no TOML

toolkit diagnose note.txt                               | a model file ends in .onnx or .tflite
toolkit diagnose broken.tflite                          | its SHA-256 does not match its content
toolkit diagnose m.tflite --against note.txt            | no run folder and no .keras file
toolkit diagnose m.tflite --images 0                    | --images must be at least 1, not 0
toolkit diagnose m.tflite --seed -1                     | --seed must not be negative, not -1
toolkit diagnose m.tflite --plot empty                  | --plot empty is a folder
toolkit diagnose m.tflite --plot note.txt/layers.png    | note.txt is no folder

toolkit bench note.txt                                  | a model file ends in .onnx or .tflite
toolkit bench runs/b                                    | no model files in runs/b/exports
toolkit bench --backend litertt                         | Did you mean 'litert'?
toolkit bench m.tflite --backend onnxruntime            | 3: runs .onnx files, not m.tflite
toolkit bench --device gpuu                             | Did you mean 'gpu'?
toolkit bench --precision float16                       | are for --device gpu or auto
toolkit bench --device gpu --provider cudaa             | Did you mean 'cuda'?
toolkit bench --threads 0                               | threads must be at least 1, not 0
toolkit bench --baseline gone.tflite                    | no such file or folder: gone.tflite
toolkit bench --baseline note.txt                       | a model file ends in .onnx or .tflite
toolkit bench --seconds 0                               | --seconds must be above 0, not 0
toolkit bench --scenario ofline                         | Did you mean 'offline'?
toolkit bench --batch 8                                 | --batch is for --scenario offline
toolkit bench --scenario offline --batch 0              | --batch must be at least 1, not 0

toolkit recommend note.txt                              | a model file ends in .onnx or .tflite
toolkit recommend --against runs/b                      | no model files in runs/b/exports
toolkit recommend --backend litertt                     | Did you mean 'litert'?
toolkit recommend --device gpuu                         | Did you mean 'gpu'?
toolkit recommend --precision float16                   | are for --device gpu or auto
toolkit recommend --device gpu --provider cudaa         | Did you mean 'cuda'?
toolkit recommend --limit 0                             | --limit must be at least 1, not 0
toolkit recommend --max-drop -1                         | 0…100, not -1
toolkit recommend --max-size 3XB                        | like 900KB or 1.5MB, not '3XB'
toolkit recommend --config limit-typo.toml              | Did you mean 'max-drop'?

toolkit compress note.txt                               | no run folder and no .keras file
toolkit compress --target-speedup 1                     | above 1 and below 1000, not 1
toolkit compress --target-shrink 0                      | at least 1 and below 1000, not 0
toolkit compress --max-drop -1                          | 0…100, not -1
toolkit compress --epochs 0                             | --epochs must be at least 1, not 0
toolkit compress --batch-size 0                         | --batch-size must be at least 1, not 0
toolkit compress --learning-rate nan                    | the learning rate must be positive
toolkit compress --copies -1                            | --copies must be at least 0, not -1
toolkit compress --seed -1                              | between 0 and 2**32 - 1, not -1
toolkit compress --out note.txt                         | --out note.txt is no folder

toolkit ensemble runs/a                                 | an ensemble needs at least two runs
toolkit ensemble runs/a runs/a                          | the same model is given twice
toolkit ensemble runs/a empty                           | empty is not a finished run folder
toolkit ensemble runs/a runs/b --format int8            | Did you mean 'tflite-int8'?
toolkit ensemble runs/a runs/b --limit 0                | --limit must be at least 1, not 0
toolkit ensemble runs/a runs/b --seconds 0              | --seconds must be above 0, not 0
toolkit ensemble runs/a runs/b --out note.txt           | --out note.txt is no folder

toolkit explain note.txt                                | no run folder and no .keras file
toolkit explain m.onnx                                  | feature maps are read from .tflite files
toolkit explain broken.tflite                           | its SHA-256 does not match its content
toolkit explain runs/a gone.png                         | no such file or folder: gone.png
toolkit explain runs/a note.txt                         | not an image of a known format
toolkit explain runs/a --against runs/a                 | --against goes with a .tflite file
toolkit explain runs/a --index -1                       | --index must be at least 0, not -1
toolkit explain runs/a --out note.txt                   | --out note.txt is no folder

toolkit runs note.txt                                   | no folder note.txt
toolkit runs --sort accurcy                             | Did you mean 'accuracy'?
toolkit runs --compare a gone                           | gone is not a finished run folder

toolkit report note.txt                                 | no run folder and no .keras file
toolkit report runs/b                                   | no model files in runs/b/exports
toolkit report --backend litertt                        | Did you mean 'litert'?
toolkit report --limit 0                                | --limit must be at least 1, not 0
toolkit report --seconds 0                              | --seconds must be above 0, not 0
toolkit report --markdown --card                        | --markdown or --card, not both
toolkit report --out empty                              | --out empty is a folder
toolkit report --out gone/page.html                     | is in a folder that does not exist

toolkit demo --epochs 0                                 | --epochs must be at least 1, not 0
toolkit demo --out note.txt                             | --out note.txt is no folder

runtime pred                                            | Did you mean 'predict'?

runtime predict gone.tflite note.txt                    | no such file or folder: gone.tflite
runtime predict note.txt note.txt                       | a model file ends in .onnx or .tflite
runtime predict broken.tflite note.txt                  | its SHA-256 does not match its content
runtime predict m.tflite                                | name IMAGES, or a folder: --watch DIR
runtime predict m.tflite note.txt --watch empty         | do not go together
runtime predict m.tflite note.txt --existing            | --existing goes with --watch DIR
runtime predict m.tflite --watch note.txt               | --watch takes a folder
runtime predict m.tflite note.txt --top 0               | 0 is not in the range x>=1
runtime predict m.tflite note.txt --labels a,b,a        | --labels names 'a' twice
runtime predict m.tflite note.txt --fit padd            | Did you mean 'pad'?
runtime predict m.tflite note.txt --polarity inverted   | Did you mean 'invert'?
runtime predict m.tflite note.txt --scale 0             | must be finite and not zero
runtime predict m.tflite note.txt --mean a              | --mean takes one number or one per channel
runtime predict m.tflite note.txt --mean 1,2            | mean needs 1 or 3 values, not 2
runtime predict m.tflite note.txt --std 0               | must be finite and not zero
runtime predict m.tflite note.txt --backend litertt     | Did you mean 'litert'?
runtime predict m.tflite note.txt --backend onnxruntime | 3: runs .onnx files, not m.tflite
runtime predict m.tflite note.txt --device gpuu         | Did you mean 'gpu'?
runtime predict m.tflite note.txt --threads 0           | threads must be at least 1, not 0
runtime predict m.tflite note.txt --precision float16   | are for --device gpu or auto
runtime predict m.tflite note.txt --device gpu --provider cudaa | Did you mean 'cuda'?

runtime info note.txt                                   | a model file ends in .onnx or .tflite
runtime info m.tflite --backend litertt                 | Did you mean 'litert'?
runtime info m.tflite --device gpuu                     | Did you mean 'gpu'?
runtime info m.tflite --threads 0                       | threads must be at least 1, not 0
runtime info m.tflite --precision float16               | are for --device gpu or auto
runtime info m.tflite --device gpu --provider cudaa     | Did you mean 'cuda'?

runtime verify broken.tflite                            | its SHA-256 does not match its content
runtime verify m.tflite --backend litertt               | Did you mean 'litert'?
runtime verify m.tflite --device gpuu                   | Did you mean 'gpu'?
runtime verify m.tflite --threads 0                     | threads must be at least 1, not 0
runtime verify m.tflite --precision float16             | are for --device gpu or auto
runtime verify m.tflite --device gpu --provider cudaa   | Did you mean 'cuda'?

runtime bench note.txt                                  | a model file ends in .onnx or .tflite
runtime bench broken.tflite                             | its SHA-256 does not match its content
runtime bench m.tflite --backend litertt                | Did you mean 'litert'?
runtime bench m.tflite --device gpuu                    | Did you mean 'gpu'?
runtime bench m.tflite --threads 0                      | --threads takes numbers from 1 up
runtime bench m.tflite --precision float16              | are for --device gpu or auto
runtime bench m.tflite --device gpu --provider cudaa    | Did you mean 'cuda'?
runtime bench m.tflite --batch a                        | --batch takes numbers from 1 up
runtime bench m.tflite --seconds 0                      | --seconds must be above 0, not 0
runtime bench m.tflite --image note.txt                 | not an image of a known format
runtime bench m.tflite --all --backend litert           | --all ranks every engine on the CPU
runtime bench broken.tflite --all                       | its SHA-256 does not match its content

runtime tune                                            | give one of MODEL, --show and --clear
runtime tune note.txt                                   | a model file ends in .onnx or .tflite
runtime tune m.tflite --threads a                       | --threads takes numbers from 1 up
runtime tune m.tflite --batch 0                         | --batch takes numbers from 1 up
runtime tune m.tflite --seconds 0                       | --seconds must be above 0, not 0

runtime doctor --backend litertt                        | Did you mean 'litert'?
runtime doctor --device gpuu                            | Did you mean 'gpu'?
"""


def cases():
    for text in filter(None, BAD.splitlines()):
        line, words = map(str.strip, text.split("|"))
        plain = words.removeprefix("3: ")
        yield pytest.param(line, 2 if plain == words else 3, plain, id=line)


CASES = list(cases())
LINES = [case.id for case in CASES]
# One function gives these to every command that takes them: they are tried with one of those.
SHARED = {
    *("--dataset", "--data", "--image-size", "--channels", "--fit", "--polarity"),
    *("--name", "--labels", "--scale", "--mean", "--std"),
}

CHILD = """
import importlib.machinery, json, shlex, sys

HEAVY = {heavy!r}


class Imported(BaseException):
    "A heavy library is imported."


class Refusing:
    "Says that each heavy library is installed, and ends whoever imports one."

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            return importlib.machinery.ModuleSpec(name, self)

    def create_module(self, spec):
        raise Imported(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, Refusing())

from click.testing import CliRunner
import runtime.cli, toolkit.cli

mains = {{"runtime": runtime.cli.main, "toolkit": toolkit.cli.main}}
found = {{}}
for line in json.load(sys.stdin):
    program, *arguments = shlex.split(line)
    try:
        result = CliRunner().invoke(mains[program], arguments, catch_exceptions=False)
        found[line] = [result.exit_code, result.stderr, ""]
    except Imported as error:
        found[line] = [None, "", str(error)]
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs, one with model files, and files that are not what they are named."""
    root = tmp_path_factory.mktemp("lines")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 28, 28), np.uint8)
    classes = np.arange(20) % 10
    arrays = {"x_train": images, "y_train": classes, "x_test": images[:10] // 2}
    np.savez(root / "tiny.npz", **arrays, y_test=classes[:10])
    config = json.loads((EXAMPLE / "config.json").read_text())
    config["data"] |= {"name": "tiny", "options": {"path": str(root / "tiny.npz")}}
    for name in ("a", "b"):
        (root / "runs" / name / "exports").mkdir(parents=True)
        (root / "runs" / name / "config.json").write_text(json.dumps(config))
        shutil.copy(EXAMPLE / "mnist-cnn.keras", root / "runs" / name / "model.keras")
    shutil.copy(EXAMPLE / "mnist-cnn.int8.tflite", root / "runs" / "a" / "exports")
    (root / "runs" / "latest").symlink_to("a")
    shutil.copy(EXAMPLE / "mnist-cnn.keras", root / "own.keras")
    for suffix in ("tflite", "onnx"):
        shutil.copy(EXAMPLE / f"mnist-cnn.int8.{suffix}", root / f"m.{suffix}")
    damaged = bytearray((root / "m.tflite").read_bytes())
    damaged[1000] ^= 1
    (root / "broken.tflite").write_bytes(damaged)
    (root / "empty").mkdir()
    texts = {
        "note.txt": "a note",
        "fake.keras": "no archive",
        "typo.toml": "epoch = 3",
        "range.toml": "epochs = 0",
        "kind.toml": 'epochs = "3"',
        "limit-typo.toml": "[tool.edge-toolkit.parity]\nmax-dro = 1",
        "limit-range.toml": "[tool.edge-toolkit.parity]\nmax-drop = -1",
    }
    for name, text in texts.items():
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def ended(folder):
    """How each line ends: exit code, what it says, and the library that it imports."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(heavy=HEAVY)],
        input=json.dumps(LINES),
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("line", "code", "words"), CASES)
def test_a_wrong_line_ends_before_a_heavy_import(ended, line, code, words):
    found, said, imported = ended[line]
    assert not imported
    assert found == code, said
    *usage, error = said.strip().splitlines()
    assert error.startswith("Error: ")
    assert words in error
    assert not usage or usage[0].startswith("Usage: ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_value_of_each_command_is_tried(program):
    """An option that is added comes with a line that gives it a wrong value."""
    main = PROGRAMS[program]
    tried = {(*line.split()[:2], word) for line in LINES for word in line.split()[2:]}
    missing = [
        f"{name} {option.opts[0]}"
        for name in main.list_commands(None)
        for option in main.get_command(None, name).params
        if isinstance(option, click.Option) and not option.is_flag
        if option.opts[0] not in SHARED and (program, name, option.opts[0]) not in tried
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --dataset nosuch", "unknown dataset 'nosuch'"),
        ("train --epochs -1", "--epochs must be at least 1, not -1"),
        ("export --format nosuch", "unknown format 'nosuch'"),
        ("verify gone.tflite", "no such file or folder: gone.tflite"),
    ],
)
def test_a_process_of_its_own_imports_nothing_heavy(folder, line, words):
    command = [sys.executable, "-X", "importtime", "-m", "toolkit", *shlex.split(line)]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    said, modules = [], set()
    for text in done.stderr.splitlines():
        if text.startswith("import time:"):
            modules.add(text.rpartition("|")[2].strip().partition(".")[0])
        else:
            said.append(text)
    assert done.returncode == 2
    assert len(said) == 1
    assert words in said[0]
    assert "toolkit" in modules
    assert not modules & set(HEAVY)


@pytest.mark.parametrize("line", ["train --dataset digits", "export", "verify", "report"])
def test_a_missing_tensorflow_is_said_before_the_data_are_read(
    folder, toolkit_cli, monkeypatch, line
):
    def load(*_):
        raise AssertionError("the data are read")

    monkeypatch.chdir(folder)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr("toolkit.datasets.base.DatasetSource.load", load)
    result = toolkit_cli(*shlex.split(line))
    assert result.exit_code == 3
    assert "tensorflow is not installed" in result.stderr
