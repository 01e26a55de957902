"""Every command and every Python block of the documentation is run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = [
    "README.md",
    "docs/parity.md",
    "docs/raspberry-pi.md",
    "examples/models/README.md",
    "examples/fashion-mnist/README.md",
]
# Appended so that a command which takes an hour is run for seconds.
SHORTER = {
    "toolkit train": "--limit 300 --epochs 1",
    "toolkit train --dataset digits --epochs 8": "--epochs 3",
}
# These set up environments: `make` is run by CI, installs by tests/device.
SETUP = ("make ", "pip install", "git clone", "cd ", "scp ", "sudo ", "python3 -m venv", "source ")


def blocks(page, language):
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(page):
    found = []
    for block in blocks(page, "console"):
        found += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [re.split(r"\s+#", command)[0].strip() for command in found]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the examples, in which a reader's commands work in their order."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples")
    make_own_model(folder)
    return folder


def make_own_model(folder):
    """The reader's my-model.keras and my-images/: two kinds of colour pictures."""
    keras = pytest.importorskip("keras", reason="the workstation side is not installed")
    rng = np.random.default_rng(0)
    pixels, truth = [], []
    for index, label in enumerate(("cat", "dog")):
        (folder / "my-images" / label).mkdir(parents=True)
        for number in range(60):
            image = rng.integers(0, 120, (32, 32, 3)).astype(np.uint8)
            image[..., 2 * index] += 100
            Image.fromarray(image).save(folder / "my-images" / label / f"{number}.png")
            pixels.append(image)
            truth.append(index)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 0.05
    model.fit(np.array(pixels), np.array(truth), epochs=10, verbose=0)
    model.save(folder / "my-model.keras")


def needs_mnist(words):
    """Whether a command trains or compares on MNIST, which is not part of the project."""
    text = " ".join(words)
    return words[0] == "toolkit" and "digits" not in text and ("mnist" in text or "train" in words)


def run(command, folder):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if (extra := os.environ.get("PYTHONPATH")) is not None:
        environment["PYTHONPATH"] = extra
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_readme_has_the_commands_of_the_users_path():
    text = " ; ".join(commands("README.md"))
    for command in ("make demo", "make test", "toolkit train", "toolkit export", "runtime predict"):
        assert command in text


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_commands_run_in_their_order(page, workplace):
    pytest.importorskip("tensorflow", reason="the workstation side is not installed")
    skipped = []
    for command in commands(page):
        if command.startswith(SETUP):
            continue
        words = shlex.split(command)
        if " ".join(words) in SHORTER:
            words += SHORTER[" ".join(words)].split()
        if needs_mnist(words) and not os.environ.get("EDGE_DATA_DIR"):
            skipped.append(command)
            continue
        result = run(words, workplace)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        assert "Warning" not in result.stderr, f"{command}\n{result.stderr}"
    if skipped:
        pytest.skip(f"all others ran; these need MNIST (EDGE_DATA_DIR): {skipped}")


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page):
    targets = {words[1] for words in map(str.split, commands(page)) if words[0] == "make"}
    for target in targets:
        result = run(["make", "--dry-run", target], ROOT)
        assert result.returncode == 0, result.stderr


def test_extras_named_in_the_readme_exist():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(r"edge-toolkit\[([a-z-]+)\]", (ROOT / "README.md").read_text()))
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("code", blocks("README.md", "python"))
def test_python_blocks_run(code, workplace):
    result = run([sys.executable, "-c", code], workplace)
    assert result.returncode == 0, result.stderr


def test_the_format_table_names_every_format_and_engine():
    from exporters.formats import registry as formats
    from runtime.backends import registry as backends

    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `") and line.endswith("|")]
    table = "\n".join(rows)
    assert all(f"| `{name}` |" in table for name in formats())
    assert all(f"| {name} |" in table for name in backends())
