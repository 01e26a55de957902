"""For which machines an engine has a wheel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.backends import registry
from runtime.doctor import wheels
from runtime.host import host

PI_OS_12 = replace(
    host(), architecture="aarch64", bits=64, libc="glibc 2.36", python="3.11.2", system="Debian 12"
)
ENGINES = registry()


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_tells_its_wheels_and_has_one_for_a_raspberry_pi(name):
    assert ENGINES[name].wheels.newest >= (3, 11)
    assert wheels.lacking(ENGINES[name], PI_OS_12) is None


def test_a_c_library_that_is_too_old_is_told():
    found = wheels.lacking(ENGINES["openvino"], replace(PI_OS_12, libc="glibc 2.31"))
    assert (
        found.problem == "openvino has wheels for glibc 2.35 and newer, this system has glibc 2.31"
    )
    assert "Raspberry Pi OS 12" in found.fix
    assert wheels.lacking(ENGINES["litert"], replace(PI_OS_12, libc="glibc 2.31")) is None


def test_a_c_library_that_is_not_told_is_no_reason():
    assert wheels.lacking(ENGINES["openvino"], replace(PI_OS_12, libc="")) is None


def test_a_newer_c_library_is_compared_by_numbers():
    assert wheels.lacking(ENGINES["openvino"], replace(PI_OS_12, libc="glibc 2.100")) is None
