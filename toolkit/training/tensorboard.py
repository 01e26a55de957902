"""TensorBoard logs of a training, written epoch by epoch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolkit.training.results import TrainReporter

FOLDER = "tensorboard"


@contextmanager
def logged(reporter: TrainReporter, folder: Path, *, enabled: bool) -> Iterator[TrainReporter]:
    """Yield a reporter that also writes the metrics of each epoch into a run folder.

    Args:
        reporter: receives the progress as before.
        folder: the run folder; a running TensorBoard reads it.
        enabled: whether to write; if not, the reporter itself is returned.

    Example::

        with logged(reporter, folder, enabled=True) as both:
            run_epochs(folder, model, state, data, schedule, both)
    """
    if not enabled:
        yield reporter
        return
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder / FOLDER))
    try:
        yield _Logged(reporter, writer)
    finally:
        writer.close()


class _Logged:
    def __init__(self, reporter: TrainReporter, writer: Any) -> None:
        self._reporter, self._writer = reporter, writer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reporter, name)

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        import tensorflow as tf

        with self._writer.as_default(step=number):
            for key, value in row.items():
                tf.summary.write(key, tf.constant(value, tf.float32), metadata=_scalar())
        self._writer.flush()
        self._reporter.epoch_done(number, epochs, row)


def _scalar() -> Any:
    """Return the metadata of a curve; tf.summary.scalar would need TensorBoard itself."""
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata
    mark = metadata.PluginData(plugin_name="scalars")
    return metadata(plugin_data=mark, data_class="DATA_CLASS_SCALAR")
