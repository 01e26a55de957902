"""Machines made of files."""

from __future__ import annotations

import pytest


@pytest.fixture
def machine(tmp_path):
    """Write files, by their path below the root; returns where they lie."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make
