"""Public API of the runtime: load a model file and classify images."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from runtime.backends import AUTO, Backend, BackendOptions
from runtime.errors import InputError
from runtime.modelfile import artifact as artifacts
from runtime.preprocessing.arrays import prepare_array
from runtime.session import LoadOptions, Session
from runtime.tasks.classification import Prediction
from runtime.workers.opening import open_backend, preferred_backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.modelfile.artifact import Artifact
    from runtime.preprocessing.prepared import Prepared
    from runtime.preprocessing.spec import PreprocessSpec
    from runtime.workers.workers import Workers

    Key = TypeVar("Key")


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

    Example::

        with runtime.load("mnist-cnn.int8.tflite") as classifier:
            print(classifier.predict("seven.png").label)

    Args:
        path: a ``.tflite`` or ``.onnx`` file.
        backend: an engine, or ``auto``: the best one that is installed.
        device: ``cpu``, ``gpu``, or ``auto``: the GPU if it is proven to run the file, else
            the CPU; ``classifier.backend`` has ``device`` and ``fallback``, the reason.
        threads: on the CPU: for one image, threads of its inference; for many, number of
            parallel workers with one thread each.
        precision: precision of a GPU, ``float32`` or ``float16``.
        images: number of images per worker, if known: ``auto`` takes the engine that
            ``runtime tune`` found to be the fastest for so many, loading included.
        options: labels and preprocessing, for files without them.

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
    engine = BackendOptions(device, threads, precision)
    artifact = artifacts.read(path)
    if images is not None:
        backend = preferred_backend(artifact, backend, engine, lambda: images)
    return from_artifact(artifact, backend, engine, options)


def from_artifact(
    artifact: Artifact,
    backend: str = AUTO,
    backend_options: BackendOptions | None = None,
    options: LoadOptions | None = None,
) -> Classifier:
    """Open a model file that is already in memory; see :func:`load` and :func:`open_backend`.

    Example::

        artifact = runtime.modelfile.artifact.read("mnist-cnn.int8.tflite")
        with from_artifact(artifact, "litert", BackendOptions(threads=2)) as classifier:
            print(classifier.predict("seven.png").label)
    """
    engine = backend_options or BackendOptions()
    session = Session(artifact, open_backend(artifact, backend, engine), options)
    return Classifier(session, engine.threads)


def open_silently(
    artifact: Artifact,
    backend: str = AUTO,
    backend_options: BackendOptions | None = None,
    options: LoadOptions | None = None,
) -> Classifier:
    """Do :func:`from_artifact` without output of the engine on stdout and stderr.

    Example::

        with open_silently(artifact) as classifier:
            print(classifier.predict("seven.png").label)
    """
    from runtime.terminal.silence import silenced

    with silenced():
        return from_artifact(artifact, backend, backend_options, options)


class Classifier:
    """An open model file that classifies images.

    Use it with ``with``; one thread at a time.

    Example::

        with runtime.load("mnist-cnn.int8.tflite", threads=4) as classifier:
            prediction = classifier.predict("seven.png")
            probabilities = classifier.predict_batch(np.zeros((8, 28, 28), np.uint8))
            for one in classifier.predict_stream(Path("photos").glob("*.jpg")):
                print(one)

    Attributes:
        session: the open model.
    """

    def __init__(self, session: Session, threads: int = 1) -> None:
        """Take an open session; it is closed with the classifier.

        Args:
            session: the open model.
            threads: number of parallel workers for many images.
        """
        self.session = session
        self._threads = threads

    @property
    def artifact(self) -> Artifact:
        """The model file."""
        return self.session.artifact

    @property
    def backend(self) -> Backend:
        """The engine that runs the file."""
        return self.session.backend

    @property
    def spec(self) -> PreprocessSpec:
        """How an image becomes model input."""
        return self.session.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names."""
        return self.session.labels

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions about what the file does not contain."""
        return self.session.notes

    def predict(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prediction:
        """Classify one image.

        Args:
            image: a path, the bytes of an image file, a Pillow image, or an array
                (h, w), (h, w, 1) or (h, w, 3), uint8 0…255 or float 0…1. An array of
                the model's size is taken as it is; anything else is fitted.

        Raises:
            InputError: the image cannot be read or used.
            BackendError: the engine failed, or its output is NaN or infinite.

        Example::

            prediction = classifier.predict("seven.png")
            print(prediction.label, prediction.confidence)
        """
        session = self.session
        prepared = session.prepare(image)
        probabilities = session.probabilities(prepared.pixels[None])
        return Prediction.of(probabilities[0], session.labels, prepared.steps)

    def prepare(self, image: Path | str | bytes | Image.Image | NDArray[Any]) -> Prepared:
        """Convert one image to the size of the model; see :meth:`predict`."""
        return self.session.prepare(image)

    def predict_batch(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Classify many images of one size.

        Args:
            images: (n, h, w) or (n, h, w, c); uint8 0…255 or float 0…1. Images of
                the model's size are taken as they are; others are fitted one by one.

        Returns:
            float32 (n, classes) probabilities.

        Raises:
            InputError: wrong shape, dtype or range.
            BackendError: the engine failed, or its output is NaN or infinite.

        Example::

            labels = classifier.predict_batch(images).argmax(axis=1)
        """
        session = self.session
        if images.ndim not in (3, 4):
            raise InputError(f"expected (n, h, w) or (n, h, w, c), got shape {images.shape}")
        if len(images) and not session.spec.matches(images):
            images = np.stack([prepare_array(image, session.spec).pixels for image in images])
        if len(images) == 1:
            return session.probabilities(images)
        from runtime.workers.stream import BATCH

        chunks = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
        pool = self.workers.engines(self._threads) if len(chunks) > 1 else None
        if pool:
            rows = list(pool.map(self._run_chunk, zip(chunks)))
        else:
            rows = [session.probabilities(chunk) for chunk in chunks]
        return np.concatenate(rows) if rows else np.empty((0, len(self.labels)), np.float32)

    def predict_stream(
        self, images: Iterable[Any], workers: int | None = None
    ) -> Iterator[Prediction | InputError]:
        """Classify any number of images of any size, in order and in bounded memory.

        After the first 0.3 seconds, worker processes with one engine each (threads, if the
        images are no files) preprocess and predict batches of up to 32; two batches per worker
        are read ahead. For images that come one by one use :meth:`predict`.

        Args:
            images: inputs of :meth:`predict`; an InputError is returned in its place. An
                array need not fit into memory: ``np.load(…, mmap_mode="r")``.
            workers: number of workers, 1 to 256; 1 is this process. None: ``threads`` of
                :func:`load`.

        Yields:
            One prediction per image; for an image that cannot be used its InputError.

        Raises:
            InputError: invalid number of workers.
            BackendError: the engine failed, its output is NaN or infinite, or a process
                cannot be started or died.

        Example::

            for prediction in classifier.predict_stream(Path("photos").glob("*.jpg")):
                print(prediction)
        """
        groups = self.predict_pairs(((None, image) for image in images), workers)
        return (prediction for group in groups for _, prediction in group)

    def predict_pairs(
        self, pairs: Iterable[tuple[Key, Any]], workers: int | None = None
    ) -> Iterator[list[tuple[Key, Prediction | InputError]]]:
        """Do :meth:`predict_stream` for images with keys, for example their names.

        Args:
            pairs: a key and an image.
            workers: see :meth:`predict_stream`.

        Yields:
            Lists of keys with their predictions: those available at the same time.

        Example::

            for group in classifier.predict_pairs((path.name, path) for path in paths):
                for name, prediction in group:
                    print(name, prediction)
        """
        from runtime.workers.pool import check_count
        from runtime.workers.stream import stream

        count = self._threads if workers is None else workers
        check_count(count)
        return stream(self.session, self.workers, pairs, count)

    def _run_chunk(self, engine: Backend, chunk: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
        (images,) = chunk
        return self.session.probabilities(images, engine)

    @cached_property
    def workers(self) -> Workers:
        """Threads and processes that predict many images in parallel."""
        from runtime.workers.workers import Workers

        return Workers(self.session)

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Classify model input that is already preprocessed; see :meth:`Session.classify`."""
        return self.session.classify(batch)

    def close(self) -> None:
        """Free the engines."""
        if "workers" in self.__dict__:
            self.workers.close()
        self.session.close()

    def __enter__(self) -> Self:
        """Return the classifier itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the classifier."""
        self.close()
