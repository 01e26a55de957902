"""The recorded session at the top of the README."""

import html
import re
import runpy
from pathlib import Path

import pytest

pytest.importorskip("rich", reason="the workstation side is not installed")
EXAMPLES = Path(__file__).parents[2] / "examples"


def text_of(svg):
    """The lines of a drawing, without the spaces that rich makes fixed."""
    return html.unescape(" ".join(re.findall(r"<text[^>]*>(.*?)</text>", svg))).replace("\xa0", " ")


def test_what_a_command_really_prints_is_drawn(tmp_path):
    record = runpy.run_path(str(EXAMPLES / "record_session.py"))["record"]
    record(tmp_path / "a.svg", ("toolkit --version", "runtime --help"))
    drawn = text_of((tmp_path / "a.svg").read_text(encoding="utf-8"))
    assert "$ toolkit --version" in drawn
    assert "Run an exported model file on this device" in drawn


def test_the_recorded_session_needs_no_network_and_tells_no_place():
    svg = (EXAMPLES / "session.svg").read_text(encoding="utf-8")
    assert "@font-face" not in svg
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", svg)
    drawn = text_of(svg)
    for command in runpy.run_path(str(EXAMPLES / "record_session.py"))["COMMANDS"]:
        assert f"$ {command}" in drawn
    assert "Verdict: pass" in drawn
    assert not re.search(r"/(home|root|tmp|work|Users)/", drawn)


def test_the_readme_shows_it():
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert "(examples/session.svg)" in readme
