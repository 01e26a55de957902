"""The examples in docstrings run and show what the code returns."""

import doctest
import importlib
from pathlib import Path

import pytest

from runtime.errors import MissingDependencyError

ROOT = Path(__file__).parents[1]
PACKAGES = ("runtime", "exporters", "toolkit")


def modules_with_examples():
    """Names of the modules of the three packages that hold a ``>>>``."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text("utf-8"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name.removesuffix(".__init__")


class Runner(doctest.DocTestRunner):
    """Skips what needs a package that is not installed, but not what names a module of ours."""

    def report_unexpected_exception(self, out, test, example, exc_info):
        error = exc_info[1]
        missing = isinstance(error, (ModuleNotFoundError, MissingDependencyError))
        if missing and (error.name or "").split(".")[0] not in PACKAGES:
            pytest.skip(f"{test.name}: {exc_info[1]}")
        super().report_unexpected_exception(out, test, example, exc_info)


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_hold(name, tmp_path, monkeypatch, capsys):
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)  # an example may write files
    runner = Runner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(test)
    result = runner.summarize(verbose=False)
    assert result.attempted, f"no docstring of {name} holds its '>>>'"
    assert not result.failed, capsys.readouterr().out
