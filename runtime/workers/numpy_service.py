"""Service that imports numpy: if that fails, the caller gets the exit code of the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from runtime.workers.process import Channel


def serve(channel: Channel) -> None:
    """Reply with the version of numpy."""
    channel.send(np.__version__)
