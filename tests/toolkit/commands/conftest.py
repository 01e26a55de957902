"""What several tests of the commands type."""

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
