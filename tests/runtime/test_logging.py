"""The logger ``runtime``: silent by default, and free of cost at import."""

import re
import subprocess
import sys
from pathlib import Path

import runtime

SOURCES = sorted(Path(runtime.__file__).parent.rglob("*.py"))
LEVEL = re.compile(r"_log\.(?!isEnabledFor)(\w+)\(", re.IGNORECASE)


def test_only_levels_that_python_does_not_print_by_default_are_used():
    # Python prints warnings of a logger without handlers. A NullHandler would prevent it, but
    # adding one means to import logging, which takes a third of the time of `import runtime`.
    levels = {level for path in SOURCES for level in LEVEL.findall(path.read_text("utf-8"))}
    assert levels == {"debug", "info"}


def test_all_modules_use_the_one_logger_of_the_package():
    names = re.compile(r"= logging.getLogger\((.*)\)")
    found = {name for path in SOURCES for name in names.findall(path.read_text("utf-8"))}
    assert found == {'"runtime"'}


def test_importing_the_package_does_not_import_logging():
    code = "import sys, runtime; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "runtime" in done.stdout.split()
    assert "logging" not in done.stdout.split()


def test_nothing_is_printed_unless_logging_is_configured(tiny):
    code = (
        "import sys; from runtime.modelfile.artifact import read; "
        "from runtime.preprocessing.spec import PreprocessSpec; "
        "read(sys.argv[1]); PreprocessSpec.assumed((28, 28, 1))"
    )
    command = [sys.executable, "-c", code, str(tiny.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
