"""Downloads one file: resumed, checked against a pinned SHA-256, renamed when complete."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import DataError

if TYPE_CHECKING:
    from toolkit.progress import Reporter

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Download:
    """A file to fetch.

    Attributes:
        url: address of the file.
        sha256: expected SHA-256, as hexadecimal digits.
        path: of the copy, relative to the Keras cache.
    """

    url: str
    sha256: str
    path: str


def keras_cache() -> Path:
    """Return the folder in which Keras keeps datasets."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def fetch(item: Download, dataset: str, reporter: Reporter) -> Path:
    """Download a file into the Keras cache, unless it is there already.

    A broken transfer leaves ``NAME.part``, which the next call resumes.

    Args:
        item: the file.
        dataset: name of the dataset, for error messages.
        reporter: receives the progress in bytes.

    Returns:
        The path of the complete, checked file.

    Raises:
        DataError: no network, or another SHA-256 than the pinned one.

    Example::

        path = fetch(Mnist.downloads[0], "mnist", SILENT)
    """
    target = keras_cache() / item.path
    if target.is_file() and sha256_of(target) == item.sha256:
        return target
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _transfer(item.url, part, reporter)
    except (OSError, ValueError, HTTPException) as error:
        raise DataError(
            f"cannot download {dataset} from {item.url} ({_reason(error)}). "
            "Without a network use --dataset digits, or name a copy with --data PATH"
        ) from error
    if sha256_of(part) != item.sha256:
        part.unlink()
        raise DataError(f"{item.url} did not send the expected file (SHA-256 differs); try again")
    part.replace(target)
    return target


def _transfer(url: str, part: Path, reporter: Reporter) -> None:
    done = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - fixed https addresses
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part is already complete; the checksum decides
        raise
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            done = 0
        total = done + int(response.headers.get("Content-Length", 0))
        with part.open("ab" if done else "wb") as file, reporter.task("download", total) as tick:
            tick(done)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                tick(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if part.stat().st_size < total:  # urllib is silent about a connection that ends early
        raise OSError(f"it broke off after {part.stat().st_size:,} of {total:,} bytes")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal digits.

    Example:
        >>> Path("empty").touch()
        >>> sha256_of(Path("empty"))[:16]
        'e3b0c44298fc1c14'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", error)) or type(error).__name__
