"""What gets imported when: a device and ``--help`` must not pay for training libraries."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import runtime
import runtime.cli
import toolkit.cli

HEAVY = {
    "ai_edge_litert",
    "keras",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "rich",
    "scipy",
    "sklearn",
    "tensorflow",
    "tf2onnx",
    "tflite_runtime",
}
ENGINES = {"ai_edge_litert", "onnxruntime", "tflite_runtime"}
PROGRAMS = {"runtime": runtime.cli.main, "toolkit": toolkit.cli.main}
MODULES = [
    module.name
    for module in pkgutil.walk_packages(runtime.__path__, "runtime.")
    if not module.name.endswith("__main__")
]
REPORT = """
import sys, json
names = sorted({name.partition(".")[0] for name in sys.modules})
sys.__stdout__.write("\\n" + json.dumps(names))
"""


def imported(code):
    """Run code in a fresh interpreter; return the top-level packages it has then imported."""
    done = subprocess.run(
        [sys.executable, "-c", code + REPORT], check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def calling(program, arguments):
    return (
        f"import {program}.cli\n"
        f"try: {program}.cli.main({arguments!r}, prog_name={program!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
    )


def test_importing_the_runtime_imports_next_to_nothing():
    found = imported("import runtime")
    assert not found & (HEAVY | {"numpy", "PIL", "click", "toolkit", "exporters"})


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_imports_nothing_heavy(program):
    commands = [[], *([name] for name in PROGRAMS[program].list_commands(None))]
    assert len(commands) > 4
    found = imported("".join(calling(program, [*command, "--help"]) for command in commands))
    assert not found & HEAVY
    if program == "runtime":
        assert not found & {"numpy", "PIL", "toolkit", "exporters"}


def test_no_module_of_the_runtime_imports_an_engine_or_the_workstation_side():
    found = imported("\n".join(f"import {name}" for name in MODULES))
    assert not found & (HEAVY | {"toolkit", "exporters"})


def test_importing_the_exporters_does_not_import_the_toolkit():
    found = imported("import exporters.base, exporters.formats; exporters.formats.registry()")
    assert not found & (HEAVY | {"toolkit"})


@pytest.mark.parametrize(
    ("name", "engine"), [("tflite-int8", "ai_edge_litert"), ("onnx", "onnxruntime")]
)
def test_a_prediction_imports_one_engine_and_nothing_of_the_workstation(
    exports, digit_files, name, engine
):
    pytest.importorskip(engine)
    arguments = ["predict", str(exports[name]), str(digit_files[0]), "--json", "--explain"]
    found = imported(calling("runtime", arguments))
    assert found & HEAVY == {engine}
    assert not found & {"toolkit", "exporters"}


def test_everything_that_the_runtime_promises_is_there():
    assert sorted(runtime.__all__) == runtime.__all__
    assert dir(runtime) == runtime.__all__
    for name in runtime.__all__:
        assert getattr(runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        runtime.missing  # noqa: B018 - the access is the test
