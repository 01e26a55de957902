"""The front door of the device side: a model file that classifies images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from runtime.assumptions import find_labels, find_scores, find_spec
from runtime.backends import AUTO, Backend, BackendOptions, open_backend
from runtime.errors import BackendError, InputError
from runtime.modelfile import artifact as artifacts
from runtime.preprocessing.arrays import prepare_array
from runtime.tasks.classification import Prediction, softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.modelfile.artifact import Artifact
    from runtime.preprocessing.prepared import Prepared
    from runtime.preprocessing.spec import PreprocessSpec
    from runtime.workers.workers import Crew


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What is not in the model file, or is to be used instead of what is there.

    Attributes:
        labels: the class names; None takes those of the file, or numbers.
        adapt: gets the preprocessing of the file (or the default for its input shape)
            and returns the one to use.
    """

    labels: tuple[str, ...] | None = None
    adapt: Callable[[PreprocessSpec], PreprocessSpec] | None = None


def load(
    path: Path | str,
    *,
    backend: str = AUTO,
    device: str = "cpu",
    threads: int = 1,
    precision: str = "float32",
    images: int | None = None,
    options: LoadOptions | None = None,
) -> Classifier:
    """Open a model file.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.
        backend: an engine, or ``auto``: the best one that is installed.
        device: ``cpu``, ``gpu``, or ``auto``: the GPU where it is proven to run the file,
            else the CPU; ``classifier.backend`` tells ``device`` and ``fallback``, why not.
        threads: on the CPU: for one image, of its inference; for many, how many workers of
            one thread each there are side by side.
        precision: in which a GPU computes, ``float32`` or ``float16``.
        images: how many each worker is to answer, where that is known: ``auto`` takes the
            engine that ``runtime tune`` found to be worth its loading for so many.
        options: labels and preprocessing that the file lacks.

    Returns:
        A classifier; close it, or use it with ``with``.

    Raises:
        InputError: no such file, or options that do not fit the model.
        ArtifactError: the file is damaged or no model file.
        BackendError: the engine is broken or refuses the file.
        DeviceUnavailableError: no GPU is proven to run it.
        MissingDependencyError: no engine for such files is installed.
    """
    if images is not None and images < 0:
        raise InputError(f"images must be at least 0, not {images}")
    how = BackendOptions(device, threads, precision)
    count = None if images is None else lambda: images
    return from_artifact(artifacts.read(path), backend, how, options, count)


def from_artifact(
    artifact: Artifact,
    backend: str = AUTO,
    backend_options: BackendOptions | None = None,
    options: LoadOptions | None = None,
    count: Callable[[], int] | None = None,
) -> Classifier:
    """Open a model file that is already in memory; see :func:`load` and :func:`open_backend`."""
    how = backend_options or BackendOptions()
    engine = open_backend(artifact, backend, how, count)
    try:
        return Classifier(artifact, engine, options or LoadOptions(), how.threads)
    except BaseException:
        engine.close()
        raise


def open_silently(
    artifact: Artifact,
    backend: str = AUTO,
    backend_options: BackendOptions | None = None,
    options: LoadOptions | None = None,
    count: Callable[[], int] | None = None,
) -> Classifier:
    """Do :func:`from_artifact` with the engine's own messages held back."""
    from runtime.terminal.silence import silenced

    with silenced():
        return from_artifact(artifact, backend, backend_options, options, count)


class Classifier:
    """An open model file: preprocessing, engine and labels in one.

    Attributes:
        artifact: the model file.
        backend: the engine that runs it.
        spec: how an image becomes model input.
        labels: the class names.
        notes: what had to be assumed because the file does not say it.
    """

    def __init__(
        self, artifact: Artifact, backend: Backend, options: LoadOptions, threads: int = 1
    ) -> None:
        """Take the labels and preprocessing from options, file or defaults, in this order.

        Args:
            artifact: the model file.
            backend: the engine that has it open.
            options: labels and preprocessing that the file lacks.
            threads: how many workers answer many images, side by side.

        Raises:
            InputError: the options do not fit the model.
        """
        self.artifact = artifact
        self.backend = backend
        self._threads = threads
        notes: list[str] = []
        self.labels = find_labels(artifact, backend, options.labels, notes)
        self.spec = find_spec(artifact, backend, options.adapt, notes)
        self._logits = find_scores(artifact, backend, self.spec, notes) == "logits"
        self.notes = tuple(notes)

    def predict(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prediction:
        """Classify one image.

        Args:
            image: a path, the bytes of an image file, a Pillow image, or an array
                (h, w), (h, w, 1) or (h, w, 3), uint8 0…255 or float 0…1. An array of
                the model's size is taken as it is; anything else is fitted.

        Raises:
            InputError: the image cannot be read or used.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        prepared = self.prepare(image)
        scores = self.score(self.backend, prepared.pixels[None])
        return Prediction.of(scores[0], self.labels, prepared.steps)

    def prepare(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prepared:
        """Bring one image to the model's size; see :meth:`predict`."""
        if isinstance(image, np.ndarray):
            return prepare_array(image, self.spec)
        if isinstance(image, (Path, str, bytes)):
            return self.spec.prepare(self.spec.decode(image))
        from runtime.preprocessing.decode import is_picture, to_plain, unusable

        if not is_picture(image):
            raise unusable(image)
        return self.spec.prepare(to_plain(image))

    def predict_batch(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Classify many images of one size.

        Args:
            images: (n, h, w) or (n, h, w, c); uint8 0…255 or float 0…1. Images of
                the model's size are taken as they are; others are fitted one by one.

        Returns:
            float32 (n, classes) probabilities.

        Raises:
            InputError: wrong shape, dtype or range.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        if images.ndim not in (3, 4):
            raise InputError(f"expected (n, h, w) or (n, h, w, c), got shape {images.shape}")
        if len(images) and not self.spec.matches(images):
            images = np.stack([prepare_array(image, self.spec).pixels for image in images])
        if len(images) == 1:
            return self.score(self.backend, images)
        from runtime.workers.stream import BATCH

        parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        pool = self.crew.engines(self._threads) if len(parts) > 1 else None
        if pool:
            rows = list(pool.map(lambda engine, part: self.score(engine, *part), zip(parts)))
        else:
            rows = [self.score(self.backend, part) for part in parts]
        return np.concatenate(rows) if rows else np.empty((0, len(self.labels)), np.float32)

    def predict_stream(
        self, images: Iterable[Any], workers: int | None = None
    ) -> Iterator[Prediction | InputError]:
        """Classify any number of images of any size, in order and in bounded memory.

        After the first 0.3 seconds of work, processes with one engine each (threads, if they
        are no files) prepare and answer batches of up to 32; two batches a worker are read
        ahead. For images that come one by one use :meth:`predict`.

        Args:
            images: what :meth:`predict` takes; an InputError is given back at its place. An
                array need not fit into memory: ``np.load(…, mmap_mode="r")``.
            workers: how many, 1 to 256, 1 being this process; None: ``threads`` of
                :func:`load`.

        Yields:
            One prediction an image; for an image that cannot be used its InputError.

        Raises:
            InputError: another number of workers.
            BackendError: the engine failed, or answered with NaN or infinity, or a process
                cannot be started or died.
        """
        groups = self.predict_in_groups(images, workers)
        return (answer for group in groups for answer in group)

    def predict_in_groups(
        self, images: Iterable[Any], workers: int | None = None
    ) -> Iterator[list[Prediction | InputError]]:
        """Do :meth:`predict_stream`; answers that are there at the same time come together."""
        from runtime.workers.pool import check_count
        from runtime.workers.stream import stream

        count = self._threads if workers is None else workers
        check_count(count)
        return stream(self, images, count)

    @cached_property
    def crew(self) -> Crew:
        """What works on many images, beside ``backend``."""
        from runtime.workers.workers import Crew

        return Crew(self)

    def close(self) -> None:
        """Free the engines."""
        if "crew" in self.__dict__:
            self.crew.close()
        self.backend.close()

    def __enter__(self) -> Self:
        """Return the classifier itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the classifier."""
        self.close()

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Classify model input that is already preprocessed.

        Args:
            batch: float32 (n, height, width, channels) in model units.

        Returns:
            float32 (n, classes) probabilities.

        Raises:
            InputError: wrong shape or dtype.
            BackendError: the engine failed, or answered with NaN or infinity.
        """
        return self._checked(self.backend.run(batch))

    def score(self, engine: Backend, images: NDArray[Any]) -> NDArray[np.float32]:
        """Classify images of the model's size with an engine of :attr:`crew`.

        Args:
            engine: this classifier's ``backend``, or one like it.
            images: see :meth:`PreprocessSpec.apply`.
        """
        return self._checked(engine.run_images(images, self.spec))

    def _checked(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities; refuse NaN and infinity, which integers never become."""
        unsure = self.backend.output.scale is None and not isfinite(np.vdot(scores, scores))
        if unsure and not np.isfinite(scores).all():  # the quick sum of squares may overflow
            raise BackendError(
                f"{self.artifact.path.name} answers with NaN or infinity on {self.backend.name}; "
                "its numbers overflow: check --scale, or export a format of wider range"
            )
        return softmax(scores) if self._logits else scores
