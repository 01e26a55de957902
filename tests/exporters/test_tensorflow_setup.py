"""The first import of TensorFlow in a process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporters import tensorflow_setup
from runtime.errors import MissingDependencyError

ROOT = Path(__file__).parents[2]


def test_tensorflow_starts_in_silence():
    code = "from exporters.tensorflow_setup import import_tensorflow as go; go(); go()"
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (found.stdout, found.stderr) == ("", "")


def test_without_tensorflow_it_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_Blocked(), *sys.meta_path])
    with pytest.raises(MissingDependencyError, match=r'pip install "edge-toolkit\[export\]"'):
        tensorflow_setup.import_tensorflow()


class _Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras"):
            raise ImportError(name)
