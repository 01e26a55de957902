"""examples/camera.py as a person and as systemd run it, with a real engine."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "camera.py"
MODEL = ROOT / "examples" / "models" / "mnist-cnn.int8.tflite"
IMAGES = ROOT / "examples" / "images"

# A picamera2 that keeps the traps of the real one: format names are the reverse of the
# memory order, frames never end, and a camera that is not closed stays taken.
FAKE = """
import os
import time
from pathlib import Path
import numpy as np

class Picamera2:
    def __init__(self):
        log("open")
    def create_video_configuration(self, main):
        return main
    def configure(self, main):
        self.swap = {"BGR888": slice(None), "RGB888": slice(None, None, -1)}[main["format"]]
    def start(self):
        log("start")
    def capture_array(self, name):
        time.sleep(0.01)
        return np.load(os.environ["FAKE_FRAME"])[..., self.swap]
    def close(self):
        log("close")

def log(word):
    with Path(os.environ["FAKE_LOG"]).open("a") as file:
        file.write(word + "\\n")
"""


def start(*arguments, **environment):
    command = [sys.executable, SCRIPT, *map(str, arguments)]
    path = os.pathsep.join(filter(None, [environment.pop("path", ""), str(ROOT)]))
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path} | environment,
    )


def run(*arguments, **environment):
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def seen(result):
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def fake(tmp_path):
    """Environment of a machine with a camera that sees a seven."""
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "picamera2.py").write_text(FAKE)
    with Image.open(IMAGES / "seven.png") as image:
        np.save(tmp_path / "frame.npy", np.asarray(image.convert("RGB")))
    return {
        "path": str(tmp_path / "fake"),
        "FAKE_FRAME": str(tmp_path / "frame.npy"),
        "FAKE_LOG": str(tmp_path / "log"),
    }


def log(fake):
    return Path(fake["FAKE_LOG"]).read_text().split()


@pytest.fixture
def broken(tmp_path):
    """Write a picamera2 that fails with the given line; return its environment."""

    def write(line):
        (tmp_path / "picamera2.py").write_text(line)
        return {"path": str(tmp_path)}

    return write


def test_a_folder_of_frames_gives_one_answer_a_frame():
    answers = seen(run("--model", MODEL, "--frames", IMAGES, "--json", "--every", 0))
    names = [Path(answer["file"]).stem for answer in answers]
    assert names == sorted(names)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert [answer["label"] for answer in answers] == [str(words.index(name)) for name in names]
    assert answers[0]["frames_per_second"] is None
    assert all(answer["frames_per_second"] > 0 for answer in answers[1:])
    assert all(answer["classify_ms"] > 0 for answer in answers)


def test_the_text_shows_rate_time_confidence_and_label():
    result = run("--model", MODEL, "--frames", IMAGES, "--count", 2)
    first, second = result.stdout.splitlines()
    assert first.split()[:2] == ["-", "frames/s"]
    assert second.endswith("99.6%  5")
    assert result.stderr.startswith("mnist-cnn.int8.tflite on ")
    assert "2 frames, " in result.stderr


@pytest.mark.parametrize(("every", "lines"), [(60, 1), (0, 4)])
def test_an_unchanged_answer_is_printed_again_only_after_its_time(fake, every, lines):
    result = run("--model", MODEL, "--count", 4, "--every", every, "--json", **fake)
    assert [answer["label"] for answer in seen(result)] == ["7"] * lines


def test_a_less_sure_answer_is_none():
    result = run("--model", MODEL, "--frames", IMAGES / "one.png", "--json")
    (answer,) = seen(result)
    assert answer["label"] == "1"
    result = run("--model", MODEL, "--frames", IMAGES / "one.png", "--min-confidence", 1, "--json")
    (answer,) = seen(result)
    assert answer["label"] is None
    assert 0.9 < answer["confidence"] < 1


def test_a_blank_frame_is_said_and_does_not_end_the_loop(fake):
    np.save(fake["FAKE_FRAME"], np.full((480, 640, 3), 200, np.uint8))
    answers = seen(run("--model", MODEL, "--count", 3, "--every", 0, "--json", **fake))
    assert [answer["frame"] for answer in answers] == [1, 2, 3]
    assert all(answer["label"] is None and answer["problem"] for answer in answers)


def test_the_camera_is_opened_and_closed(fake):
    seen(run("--model", MODEL, "--count", 3, "--json", **fake))
    assert log(fake) == ["open", "start", "close"]


@pytest.fixture(scope="module")
def colors_file(rgb_model, tmp_path_factory):
    """A model file that tells red, green and blue apart."""
    from toolkit.datasets import DataOptions
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.trained_model import Overrides, resolve

    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    (file,) = (
        one.artifact
        for one in export(trained, ExportOptions(("tflite",), tmp_path_factory.mktemp("colors")))
    )
    return file.path


@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_colours_of_the_camera_arrive_in_the_order_of_training(colors_file, fake, color):
    frame = np.full((64, 64, 3), 60, np.uint8)
    frame[..., ["red", "green", "blue"].index(color)] = 130
    np.save(fake["FAKE_FRAME"], frame)
    (answer,) = seen(run("--model", colors_file, "--count", 1, "--json", **fake))
    assert answer["label"] == color


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_the_camera_and_ends_well(fake, number):
    process = start("--model", MODEL, **fake)
    process.stdout.readline()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert log(fake) == ["open", "start", "close"]
    assert "Traceback" not in err


def test_systemd_hears_of_the_first_frame_of_every_frame_and_of_the_end(fake, tmp_path):
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(30)
        process = start("--model", MODEL, NOTIFY_SOCKET=address, **fake)
        assert manager.recv(100) == b"READY=1\nWATCHDOG=1"
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        process.terminate()
        message = b"WATCHDOG=1"
        while message == b"WATCHDOG=1":
            message = manager.recv(100)
        process.communicate(timeout=30)
    assert message == b"STOPPING=1"
    assert process.returncode == 0


def test_without_picamera2_one_line_says_what_to_type():
    result = run("--model", MODEL)
    assert result.returncode == 3
    message = result.stderr.splitlines()[-1]
    assert "apt install python3-picamera2" in message
    assert "--system-site-packages" in message
    assert "--frames" in message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import libcamera_of_nobody", "apt install python3-picamera2"),
        ("raise ValueError('numpy.dtype size changed')", 'pip install "numpy<2"'),
        ("def Picamera2(): [][0]", "rpicam-hello --list-cameras"),
        ("def Picamera2(): raise RuntimeError('Device or resource busy')", "resource busy"),
    ],
)
def test_a_camera_that_does_not_open_is_one_line(broken, line, words):
    result = run("--model", MODEL, **broken(line))
    assert result.returncode == 3
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "none.tflite"], "none.tflite"),
        (["--model", MODEL, "--frames", "nowhere"], "no such file"),
        (["--model", MODEL, "--frames", IMAGES, "--backend", "litter"], "litert"),
        (["--model", MODEL, "--min-confidence", "2"], "--min-confidence"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, words):
    result = run(*arguments)
    assert result.returncode == 2
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
