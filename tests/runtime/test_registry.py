"""One file in a package is one more choice."""

from __future__ import annotations

import importlib
import sys

import pytest

from runtime.backends import Backend, for_suffix, registry
from runtime.errors import UnknownNameError
from runtime.registry import discover, pick

BASE = """
from abc import ABC, abstractmethod
class Base(ABC):
    @abstractmethod
    def f(self): ...
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a plug-in package with the given modules and import it with its base class."""

    def make(**modules):
        folder = tmp_path / "plugins_under_test"
        folder.mkdir()
        for name, text in {"__init__": "", "_base": BASE, **modules}.items():
            (folder / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        importlib.invalidate_caches()
        found = importlib.import_module("plugins_under_test")
        return found, importlib.import_module("plugins_under_test._base").Base

    yield make
    for name in [n for n in sys.modules if n.startswith("plugins_under_test")]:
        del sys.modules[name]


def plugin(name, body="def f(self): ...", rank=None):
    lines = [f"name = {name!r}", *([f"rank = {rank}"] if rank is not None else []), body]
    return "from plugins_under_test._base import Base\nclass C(Base):\n    " + "\n    ".join(lines)


def test_each_file_adds_its_class_in_order_of_rank_and_name(package):
    found = discover(*package(one=plugin("b"), two=plugin("a", rank=1), three=plugin("c", rank=-1)))
    assert list(found) == ["c", "b", "a"]


def test_helpers_abstract_and_imported_classes_are_no_choice(package):
    modules = {
        "_helper": plugin("hidden"),
        "abstract": plugin("abstract", body="x = 1"),
        "real": plugin("real") + "\nclass Shared(C): ...",
        "importer": "from plugins_under_test.real import C",
    }
    assert list(discover(*package(**modules))) == ["real"]


def test_two_classes_of_one_name_are_a_mistake(package):
    with pytest.raises(TypeError, match="have the same name"):
        discover(*package(one=plugin("same"), two=plugin("same")))


def test_pick_tells_the_known_names():
    assert pick({"a": int}, "thing", "a") is int
    with pytest.raises(UnknownNameError, match=r"unknown thing 'x'\. Known: a, b\."):
        pick({"b": int, "a": int}, "thing", "x")


def test_the_engines_are_found_the_preferred_ones_first():
    found = registry()
    assert {"litert", "tflite-runtime", "onnxruntime", "openvino"} <= set(found)
    names = {suffix: [one.name for one in for_suffix(suffix)] for suffix in (".tflite", ".onnx")}
    assert names[".tflite"][:3] == ["litert", "tflite-runtime", "openvino"]
    assert names[".onnx"][:2] == ["onnxruntime", "openvino"]
    assert for_suffix(".keras") == []
    assert all(issubclass(backend, Backend) for backend in found.values())
