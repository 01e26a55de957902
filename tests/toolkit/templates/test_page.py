"""Pages made from templates."""

import pytest

from toolkit.parity.report import ParityReport
from toolkit.templates.page import render

pytest.importorskip("jinja2", reason="the workstation side is not installed")


def test_what_comes_from_outside_is_escaped():
    entry = {"name": "<script>&", "backend": "", "verdict": "", "sentence": "", "flips": ()}
    report = ParityReport("pass", 0.9, 10, ())
    page = render("flips.html", report=report, entries=[entry | {"more": 0}])
    assert "<h2>&lt;script&gt;&amp; on " in page
