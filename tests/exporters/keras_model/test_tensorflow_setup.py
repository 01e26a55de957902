"""The first import of TensorFlow in a process."""

import sys

import pytest

from exporters.keras_model import tensorflow_setup
from runtime.errors import MissingDependencyError


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
