"""A user's own images: one sub-folder per class."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from runtime.errors import DataError
from runtime.preprocessing.decode import IMAGE_SUFFIXES
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets._decoding import decode_all, decode_one
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource
from toolkit.datasets.splits import stratified

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from toolkit.progress import Reporter

_SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_TEST_FRACTION = 0.2
_SPLIT_SEED = 0
_WHOLE = PreprocessSpec(1, 1)  # decodes all pixels: only size and colour are read
_PROBED = 50  # images read to choose size and channels
_SMALLEST, _LARGEST, _STEP = 28, 96, 4  # sides in pixels that suit small CNNs


class ImageFolder(DatasetSource):
    """``train/CLASS/*.png`` with an optional ``test/``, or ``CLASS/*.png`` alone.

    Without ``test/`` a fifth of each class is held out, always the same fifth.

    Example::

        flowers = load_dataset(DataOptions(path=Path("flowers"), image_size=(64, 64)))
    """

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "your own images: --data FOLDER with one sub-folder per class"

    def _check(self, options: DataOptions) -> None:
        _class_names(_training_folder(options))

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        base = _training_folder(options)
        root = options.path or base
        labels = _class_names(base)
        files, y = _list(base, labels)
        spec = _spec(options, files)
        if base != root and (root / "test").is_dir():
            test_files, y_test = _list(root / "test", labels)
            y_train = y
        else:
            train, test = stratified(y, _TEST_FRACTION, _SPLIT_SEED)
            if len(test) == 0:
                raise DataError(f"{root}: too few images to set a test part aside")
            files, test_files = [files[i] for i in train], [files[i] for i in test]
            y_train, y_test = y[train], y[test]
        x = decode_all([*files, *test_files], spec, root, reporter)
        x_train, x_test = x[: len(files)], x[len(files) :]
        return Dataset(
            root.resolve().name, x_train, y_train, x_test, y_test, labels, spec, str(root)
        )


def _training_folder(options: DataOptions) -> Path:
    root = options.path
    if root is None or not root.is_dir():
        raise DataError("--dataset folder needs --data FOLDER with one sub-folder per class")
    return root / "train" if (root / "train").is_dir() else root


def _class_names(base: Path) -> tuple[str, ...]:
    names = sorted(
        _subfolders(base),
        key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name),
    )
    if splits := [name for name in names if name.lower() in _SPLITS]:
        raise DataError(
            f"{base}: '{splits[0]}' is no class; the folders of a split are called train and test"
        )
    if len(names) < 2:
        raise DataError(f"{base}: expected one sub-folder per class, found {len(names)}")
    return tuple(names)


def _subfolders(base: Path) -> list[str]:
    return [p.name for p in base.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _list(base: Path, labels: tuple[str, ...]) -> tuple[list[Path], NDArray[np.int64]]:
    """List the images of all classes, shuffled with a fixed seed so that classes mix."""
    if extra := sorted(set(_subfolders(base)) - set(labels)):
        raise DataError(f"{base}: class {extra[0]} has no training images")
    files: list[Path] = []
    y: list[int] = []
    for index, label in enumerate(labels):
        found = (
            sorted(p for p in (base / label).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
            if (base / label).is_dir()
            else []
        )
        files += found
        y += [index] * len(found)
    missing = set(range(len(labels))) - set(y)
    if missing and base.name != "test":
        raise DataError(f"{base}: no images of class {labels[min(missing)]}")
    if not files:
        raise DataError(f"{base}: no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(files))
    return [files[i] for i in order], np.array(y, np.int64)[order]


def _spec(options: DataOptions, files: list[Path]) -> PreprocessSpec:
    probes = [decode_one(file, _WHOLE) for file in files[:_PROBED]]
    height, width = options.image_size or (_side(probes),) * 2
    channels = options.channels or (3 if any(p.mode == "RGB" for p in probes) else 1)
    return PreprocessSpec(
        height=height,
        width=width,
        channels=channels,
        fit=options.fit or "pad",
        polarity=options.polarity or "as-is",
    )


def _side(probes: list[Image.Image]) -> int:
    median = float(np.median([min(p.size) for p in probes]))
    return int(np.clip(round(median / _STEP) * _STEP, _SMALLEST, _LARGEST))
