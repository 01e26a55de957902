"""The workers that a classifier gets for many images, opened at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends import BackendOptions, open_backend
from runtime.pool import Pool
from runtime.quiet import silenced

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.classifier import Classifier
    from runtime.companion import Companion


class Crew:
    """Engines in this process for ready arrays; processes for images to be prepared.

    An engine computes without Python's lock, so threads are enough for arrays; to prepare an
    image holds it, and takes processes: see :mod:`runtime.companion`.
    """

    def __init__(self, classifier: Classifier) -> None:
        """Open nothing yet."""
        self._classifier = classifier
        self._engines: Pool[Backend] | None = None
        self._companions: Pool[Companion] | None = None

    @property
    def has_companions(self) -> bool:
        """Whether processes were started."""
        return self._companions is not None

    def engines(self, count: int) -> Pool[Backend] | None:
        """Return so many engines; None for just one, or where a GPU does the work.

        Raises:
            BackendError: the engine refuses the file, or is out of memory.
        """
        if self._is_one(count):
            return None
        if self._engines is None or len(self._engines.workers) != count:
            if self._engines:
                self._engines.close()
                self._engines = None
            with silenced():
                self._engines = Pool(self._open_engine, count)
        return self._engines

    def companions(self, count: int) -> Pool[Companion] | None:
        """Return so many processes; None for just one, or where a GPU does the work.

        Raises:
            BackendError: they cannot be started.
        """
        if self._is_one(count):
            return None
        if self._companions is None or len(self._companions.workers) != count:
            from runtime.companion import Companion

            if self._companions:
                self._companions.close()
                self._companions = None
            self._companions = Pool(lambda: Companion(self._classifier), count)
        return self._companions

    def close(self) -> None:
        """Free all workers."""
        for pool in (self._engines, self._companions):
            if pool:
                pool.close()
        self._engines = self._companions = None

    def _is_one(self, count: int) -> bool:
        return count == 1 or self._classifier.backend.device != "cpu"

    def _open_engine(self) -> Backend:
        one = self._classifier
        return open_backend(one.artifact, one.backend.name, BackendOptions())
