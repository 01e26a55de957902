"""Service that imports numpy: where that fails, the caller learns how the process ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from runtime.workers.process import Channel


def serve(channel: Channel) -> None:
    """Reply with the version."""
    channel.send(np.__version__)
