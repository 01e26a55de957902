"""The versions that a result depends on."""

import importlib.metadata
import platform
from importlib.metadata import PackageNotFoundError, version

from toolkit.runs import versions


def test_python_and_installed_packages_are_listed():
    found = versions.versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")


def test_a_package_that_is_not_installed_is_left_out(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert set(versions.versions()) == {"python"}
