"""From MNIST to a handful of clothes: fewer images are needed than from scratch."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="the workstation side is not installed")

MNIST = Path(__file__).parents[3] / "examples" / "models" / "mnist-cnn.keras"
TOPS = (0, 2, 3, 4, 6)  # T-shirt, pullover, dress, coat, shirt: the ones that are mistaken


@pytest.fixture(scope="module")
def tops(tmp_path_factory):
    """A few images of five classes of Fashion-MNIST as a file of the user's."""
    from runtime.errors import DataError
    from toolkit.datasets import DataOptions, load_dataset

    try:
        clothes = load_dataset(DataOptions(name="fashion-mnist"))
    except DataError as error:
        pytest.skip(str(error))
    arrays = {}
    for part, count in (("train", 100), ("test", 1000)):
        x, y = getattr(clothes, f"x_{part}"), getattr(clothes, f"y_{part}")
        rows = np.flatnonzero(np.isin(y, TOPS))[:count]
        arrays |= {f"x_{part}": x[rows][..., 0], f"y_{part}": np.searchsorted(TOPS, y[rows])}
    path = tmp_path_factory.mktemp("tops") / "tops.npz"
    np.savez(path, **arrays, labels=np.array([clothes.labels[index] for index in TOPS]))
    return path


@pytest.mark.mnist
@pytest.mark.slow
def test_a_start_from_mnist_learns_more_from_a_hundred_images(
    data_dir, tops, toolkit_cli, tmp_path
):
    common = ("--data", tops, "--epochs", 15, "--batch-size", 20, "--out", tmp_path, "--json")
    results = []
    for extra in ((), ("--from", MNIST, "--freeze", 2)):
        result = toolkit_cli("train", *common, *extra)
        assert result.exit_code == 0, result.stderr
        results.append(json.loads(result.stdout))
    scratch, started = results
    assert started["test_accuracy"] > scratch["test_accuracy"]
    assert Path(started["run"]).name.endswith("tops-cnn")
