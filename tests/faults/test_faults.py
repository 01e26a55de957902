"""The faults stay true: each patch applies, and names tests that exist; run.py does its work."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def run():
    """Import the script, which is part of no package."""
    spec = importlib.util.spec_from_file_location("run_faults", HERE / "run.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(params=sorted(HERE.glob("*.patch")), ids=lambda path: path.stem)
def fault(run, request):
    return run.Fault.read(request.param)


def test_a_patch_applies_at_one_place_of_the_present_tree(run, fault):
    run.apply(fault, ROOT, "--check")
    assert fault.hunks()
    for file, before in fault.hunks():
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"\n{text}".count(f"\n{before}") == 1, f"{before!r} is not one place of {file}"


def test_the_tests_that_a_patch_names_exist(fault):
    for name in fault.tests:
        file, _, function = name.partition("[")[0].partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"\ndef {function}(" in text if function else "\ndef test_" in text


def test_forty_faults_are_numbered_and_spread_over_the_packages(run):
    found = run.faults()
    assert [one.name[:2] for one in found] == [f"{n:02}" for n in range(1, len(found) + 1)]
    assert len(found) >= 40
    touched = [{file.split("/")[0] for file, _ in one.hunks()} for one in found]
    assert all(len(one) == 1 for one in touched)
    assert set.union(*touched) == {"runtime", "exporters", "toolkit"}


MODULE = "def double(x):\n    return 2 * x\n\n\ndef half(x):\n    return x / 2\n"
TEST = """
import os
import time
from pathlib import Path
from module import double, half

def test_double():
    assert double(2) == 4

def test_waits():
    if half(2) != 1:
        Path("{started}.part").write_text(str(os.getpid()))
        Path("{started}.part").rename("{started}")
        time.sleep(60)
"""
PATCH = """Something is wrong.
Tests: test_module.py::{test}

--- a/module.py
+++ b/module.py
@@ -{line},1 +{line},1 @@
-    return {before}
+    return {after}
"""


@pytest.fixture
def project(tmp_path):
    """A checkout with one module, two tests, and three faults: found, not found, slow."""
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    shutil.copy(HERE / "run.py", folder)
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "test_module.py").write_text(TEST.format(started=tmp_path / "started"))
    first = PATCH.format(test="test_double", line=2, before="2 * x", after="3 * x")
    second = PATCH.format(test="test_double", line=6, before="x / 2", after="x // 2")
    waits = PATCH.format(test="test_waits", line=6, before="x / 2", after="x")
    for name, text in (("01-found", first), ("02-missed", second), ("03-waits", waits)):
        (folder / f"{name}.patch").write_text(text)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "temporary").mkdir()
    return tmp_path


def started(project, *arguments):
    command = [sys.executable, project / "tests" / "faults" / "run.py", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(project / "temporary")}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def left_as_it_was(project):
    assert (project / "module.py").read_text() == MODULE
    return not list((project / "temporary").iterdir())


def test_a_fault_that_no_test_finds_ends_with_exit_code_1(project):
    process = started(project, "found", "missed", "--jobs", "2")
    output, errors = process.communicate()
    assert process.returncode == 1
    assert "| 01-found | test_module.py::test_double |" in output
    assert "| 02-missed | NOT FOUND |" in output
    assert "1 of 2 faults are not found: ['02-missed']" in errors
    assert left_as_it_was(project)


def test_a_found_fault_ends_with_exit_code_0(project):
    process = started(project, "01")
    process.communicate()
    assert process.returncode == 0
    unknown = started(project, "nosuch")
    assert "no fault has one of these words in its name: nosuch" in unknown.communicate()[1]
    assert unknown.returncode == 2


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_nothing(project, sent):
    process = started(project, "waits")
    deadline = time.monotonic() + 60
    while not (project / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sent)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert left_as_it_was(project)
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "started").read_text()), 0)
