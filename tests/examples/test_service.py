"""examples/edge-classifier.service fits the script that it starts, and systemd takes it."""

import configparser
import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "examples" / "edge-classifier.service"
PAGE = ROOT / "docs" / "raspberry-pi.md"


@pytest.fixture
def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str
    parser.read(UNIT)
    return parser


@pytest.fixture
def camera():
    spec = importlib.util.spec_from_file_location("camera", ROOT / "examples" / "camera.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["camera"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["camera"]


def test_the_command_line_is_one_that_the_script_takes(unit, camera):
    python, script, *options = shlex.split(unit["Service"]["ExecStart"])
    assert Path(python).is_absolute()
    assert Path(script).name == "camera.py"
    with camera.command.make_context("camera.py", options) as context:
        assert context.params["model"].suffix == ".tflite"
        assert context.params["as_json"]


def test_the_page_puts_every_file_where_the_unit_looks_for_it(unit):
    page = PAGE.read_text(encoding="utf-8")
    python, script, *options = shlex.split(unit["Service"]["ExecStart"])
    folder = Path(script).parent
    assert f"-m venv --system-site-packages {Path(python).parents[1]}" in page
    assert str(folder) in page
    assert Path(options[options.index("--model") + 1]).parent == folder


def test_exit_codes_that_a_new_start_does_not_mend_end_the_service(unit):
    from runtime.errors import EXIT_BAD_INPUT, EXIT_CHECK_FAILED, EXIT_NO_ENGINE

    codes = set(map(int, unit["Service"]["RestartPreventExitStatus"].split()))
    assert codes == {EXIT_BAD_INPUT, EXIT_NO_ENGINE}
    assert EXIT_CHECK_FAILED not in codes
    assert unit["Service"]["Restart"] == "on-failure"


def test_the_watchdog_gets_its_messages(unit):
    assert unit["Service"]["Type"] == "notify"
    assert int(unit["Service"]["WatchdogSec"]) >= 10


@pytest.fixture
def analyzed(unit, tmp_path):
    """Run systemd-analyze on the unit, with this Python in the place of the Pi's."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    python = shlex.split(unit["Service"]["ExecStart"])[0]
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(python, sys.executable.replace(" ", "\\x20")))

    def analyze(*arguments):
        command = ["systemd-analyze", *arguments, copy]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return analyze


def test_systemd_finds_nothing_to_complain_about(analyzed):
    result = analyzed("verify", "--man=no")
    assert result.returncode == 0
    assert UNIT.name not in result.stderr


def test_systemd_rates_the_exposure_as_low(analyzed):
    result = analyzed("security", "--offline=true", "--threshold=20")
    if "nrecognized option" in result.stderr:
        pytest.skip("this systemd cannot rate a unit that is not loaded")
    assert result.returncode == 0, result.stdout[-200:]
