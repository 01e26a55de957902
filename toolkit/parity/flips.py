"""The sheet of flips: images on which a model file predicts another label than Keras."""

from __future__ import annotations

import base64
import io
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError
from runtime.modelfile.files import write_atomically
from toolkit.plots import plot_images
from toolkit.templates.page import render

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from toolkit.parity import ArtifactParity, ParityReport

PAGE = "flips.html"
_SHOWN = 60  # images of one file


def write_flips(report: ParityReport, images: NDArray[np.uint8], folder: Path) -> Path:
    """Write one HTML page with all flips, and one PNG sheet for each file and engine.

    Args:
        report: with the flips.
        images: uint8 (n, height, width, channels), those that were compared.
        folder: created if missing.

    Returns:
        The page; it needs no other file.

    Raises:
        InputError: the folder cannot be made.
        MissingDependencyError: jinja2 or matplotlib is not installed.

    Example::

        page = write_flips(compare(reference, candidates, images, labels), images, Path("flips"))
    """
    require_folder(folder)
    measured = [entry for entry in report.artifacts if entry.metrics]
    page = folder / PAGE
    entries = [sheet(entry, images) for entry in measured]
    write_atomically(page, render(PAGE, report=report, entries=entries).encode())
    for entry in measured:
        _write_sheet(entry, images, folder)
    return page


def require_folder(folder: Path) -> None:
    """Create the folder, and check that it is writable.

    Raises:
        InputError: it cannot be created or written to.

    Example:
        >>> require_folder(Path("sheets"))
        >>> Path("sheets").is_dir()
        True
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from error


def sheet(entry: ArtifactParity, images: NDArray[np.uint8]) -> dict[str, Any]:
    """Return what a page shows of one file in one engine: verdict and flips with images.

    Example::

        flips = sheet(report.artifacts[0], dataset.x_test)["flips"]
    """
    flips = entry.metrics.flips if entry.metrics else ()
    return {
        "name": Path(entry.path).name,
        "backend": entry.backend,
        "verdict": entry.verdict,
        "sentence": entry.sentence,
        "more": max(0, len(flips) - _SHOWN),
        "flips": [asdict(f) | {"png": _png(images[f.image])} for f in flips[:_SHOWN]],
    }


def _write_sheet(entry: ArtifactParity, images: NDArray[np.uint8], folder: Path) -> None:
    flips = entry.metrics.flips[:_SHOWN] if entry.metrics else ()
    if not flips:
        return
    captions = [
        f"{flip.expected} → {flip.answer}\ntruth {flip.truth}, margin {flip.margin:.2f}"
        for flip in flips
    ]
    title = f"{Path(entry.path).name} on {entry.backend}: Keras → file"
    path = folder / f"{Path(entry.path).name}.{entry.backend}.png"
    plot_images([images[flip.image] for flip in flips], captions, title, path)


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
