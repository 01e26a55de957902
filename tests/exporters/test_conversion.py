"""Converters are silenced, and what they raise becomes one error."""

import os
import sys

import pytest

from exporters.conversion import converting
from runtime.errors import ExportError, InputError


def test_whatever_a_converter_raises_is_one_error():
    with pytest.raises(ExportError, match="format x: something inside"), converting("x"):
        raise AssertionError("something inside")


def test_an_error_without_text_is_named():
    with pytest.raises(ExportError, match="format x: ZeroDivisionError"), converting("x"):
        raise ZeroDivisionError


def test_our_own_errors_pass_unchanged():
    with pytest.raises(InputError, match="as it was"), converting("x"):
        raise InputError("as it was")


def test_chatter_is_dropped(capfd):
    with converting("x"):
        sys.stdout.write("noise")
        os.write(2, b"noise from C++")
    assert capfd.readouterr() == ("", "")
