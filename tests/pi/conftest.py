"""Emulated Raspberry Pis with this project's wheel, one for each release, model and engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from debian import NotAvailableError  # noqa: E402 - the helpers lie beside the tests
from pis import CASES, Pi  # noqa: E402
from userland import build  # noqa: E402
from wheels import install_project  # noqa: E402

_EMULATED = "emulated"  # the key under which tests record figures


@pytest.fixture(scope="session")
def project(wheel, tmp_path_factory):
    """This project, installed from its wheel for the Python of an emulated Pi."""
    folder = tmp_path_factory.mktemp("project")
    install_project(wheel, folder)
    return folder


@pytest.fixture(scope="session", params=CASES, ids=str)
def pi(request, project, tmp_path_factory):
    """An emulated Pi; skipped, with the reason, where it cannot be built."""
    case = request.param
    try:
        userland = build(case.suite)
    except NotAvailableError as error:
        pytest.skip(str(error))
    return Pi(case, userland, project, tmp_path_factory.mktemp(str(case)))


@pytest.fixture(scope="session")
def answers(pi):
    """What the engine answers to many images: asked once, also where that fails."""
    return pi.answers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Let one worker ask all of a Pi, so that its answers are computed once.

    xdist's own ``--dist loadgroup`` groups nothing with pytest 9.2 (pytest-xdist issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class OnePiAWorker(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            test, _, pi = nodeid.partition("[")
            return pi or test.partition("::")[0]

    return OnePiAWorker(config, log)


def pytest_collection_modifyitems(items):
    """Mark everything here; a build and slow files together take minutes."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.pi)
            item.add_marker(pytest.mark.timeout(1200))


def pytest_terminal_summary(terminalreporter):
    """Print memory and times of the emulated processes as what they are."""
    found = [
        value
        for report in terminalreporter.stats.get("passed", [])
        for key, value in getattr(report, "user_properties", [])
        if key == _EMULATED
    ]
    if found:
        terminalreporter.section("emulated, no figures of a Raspberry Pi")
        for line in sorted(found):
            terminalreporter.line(line)
