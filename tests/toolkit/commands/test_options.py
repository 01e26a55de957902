"""Options that several commands take."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from toolkit.commands._options import _size, data_options, override_options
from toolkit.datasets import DataOptions
from toolkit.trained_model import Overrides


@pytest.mark.parametrize(
    ("text", "expected"), [(None, None), ("32", (32, 32)), ("32x48", (32, 48)), ("8X9", (8, 9))]
)
def test_image_sizes(text, expected):
    assert _size(text) == expected


@pytest.mark.parametrize("text", ["", "0", "32x", "x", "1x2x3", "-4", "big", "4.5"])
def test_wrong_image_sizes(text):
    with pytest.raises(click.BadParameter, match="neither like 32 nor like 32x48"):
        _size(text)


def run(decorate, *arguments):
    seen = []

    @click.command()
    @decorate
    def command(**values):
        seen.append(values)

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_data_options():
    assert run(data_options) == {"data": DataOptions()}
    given = "--dataset folder --data . --image-size 20 --channels 3 --fit pad --polarity auto"
    expected = DataOptions("folder", Path(), (20, 20), 3, "pad", "auto")
    assert run(data_options, *given.split()) == {"data": expected}


def test_overrides():
    assert run(override_options) == {"overrides": Overrides()}
    given = "--name n --labels a,b --scale 2 --mean 0.5 --std 1,2,3"
    expected = Overrides("n", ("a", "b"), 2.0, (0.5,), (1.0, 2.0, 3.0))
    assert run(override_options, *given.split()) == {"overrides": expected}
