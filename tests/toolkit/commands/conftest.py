"""What several tests of the commands type."""

import shutil

import pytest


@pytest.fixture
def own(rgb_model):
    """The arguments that export the user's own model."""
    return (
        rgb_model / "colors.keras",
        "--data",
        rgb_model / "colors.npz",
        "--scale",
        1,
    )


@pytest.fixture(scope="session")
def two_exports(digits_run, exports, tmp_path_factory):
    """A run that was exported to two formats, as the latest one; and their names."""
    names = ["tflite-int8", "onnx"]
    runs = tmp_path_factory.mktemp("two") / "runs"
    run = runs / digits_run.path.name
    shutil.copytree(digits_run.path, run, ignore=shutil.ignore_patterns("exports"))
    (run / "exports").mkdir()
    for name in names:
        shutil.copy(exports[name], run / "exports")
    (runs / "latest").symlink_to(run.name)
    return run, names
