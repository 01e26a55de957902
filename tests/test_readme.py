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
# In the order in which their commands run: the pages go on with the runs of the README, and
# training.md starts runs of its own.
PAGES = [
    "README.md",
    "docs/own-model.md",
    "docs/formats.md",
    "docs/parity.md",
    "docs/quantization.md",
    "docs/model-file.md",
    "docs/predict.md",
    "docs/python.md",
    "docs/engines.md",
    "docs/speed.md",
    "docs/compression.md",
    "docs/raspberry-pi.md",
    "docs/gpu.md",
    "docs/commands.md",
    "docs/training.md",
    "examples/README.md",
    "examples/models/README.md",
    "examples/fashion-mnist/README.md",
]
# Appended so that a command which takes an hour is run for seconds.
SHORTER = {"digits": "--epochs 3", "mnist": "--epochs 3 --limit 300"}
# These set up environments: `make` is run by CI, installs by tests/device.
SETUP = ("make ", "pip install", "git clone", "cd ", "scp ", "sudo ", "python3 -m venv", "source ")


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page, language):
    text = text_of(page)
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands(page):
    found = []
    for block in blocks(page, "console"):
        found += [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [re.split(r"\s+#", command)[0].strip() for command in found]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder with the examples."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="module")
def workplace(checkout):
    """A folder in which a reader's commands work in their order."""
    make_own_model(checkout)
    return checkout


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
    environment["XDG_CACHE_HOME"] = str(folder / "cache")  # runtime tune --clear empties it
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
        if words[:2] == ["toolkit", "train"]:
            words += SHORTER["digits" if "digits" in words else "mnist"].split()
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


@pytest.mark.parametrize("page", PAGES)
def test_extras_that_are_named_exist(page):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = text_of(page)
    named = set(re.findall(r"(?:edge-toolkit|-none-any\.whl)\[([a-z-]+)\]", text))
    assert named <= set(project["optional-dependencies"])


@pytest.mark.parametrize("code", [code for page in PAGES for code in blocks(page, "python")])
def test_python_blocks_run(code, checkout):
    result = run([sys.executable, "-c", code], checkout)
    assert result.returncode == 0, result.stderr


def test_every_page_is_run_and_named_in_the_readme():
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= set(PAGES)
    _, table = text_of("README.md").split("\n## Where to read on\n")
    assert set(re.findall(r"^\| \[(docs/.+?)\]\(\1\) \|", table, re.MULTILINE)) == pages


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(page))):
        if target.startswith("https://"):
            continue
        name, _, heading = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        assert not heading or heading in headings(file), target


def headings(file):
    """The anchors that GitHub gives to the headings of a page."""
    text = without_blocks(file.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("program", ["toolkit", "runtime"])
def test_every_command_is_listed(program):
    from importlib import import_module

    rows = re.findall(rf"^\| `{program} ([a-z]+)` \|", text_of("docs/commands.md"), re.MULTILINE)
    assert rows == import_module(f"{program}.cli").main.list_commands(None)


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= 250


def test_the_format_table_names_every_format_and_engine():
    from exporters.formats import registry as formats
    from runtime.backends import registry as backends

    lines = text_of("docs/formats.md").splitlines()
    rows = [line for line in lines if line.startswith("| `") and line.endswith("|")]
    table = "\n".join(rows)
    assert all(f"| `{name}` |" in table for name in formats())
    assert all(f"| {name} |" in table for name in backends())
