"""Entry point of every worker process: ``python -P -m runtime.workers.main SERVICE``."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys

from runtime.workers.process import STARTED, Channel


def main(service: str) -> None:
    """Report the start, then run ``serve`` of a module until the parent closes the pipe.

    Args:
        service: import name of the module.
    """
    # Engines print to file descriptor 1: messages use a copy of it.
    with os.fdopen(os.dup(1), "wb") as target, contextlib.suppress(BrokenPipeError, EOFError):
        os.dup2(2, 1)
        target.write(STARTED)
        target.flush()
        importlib.import_module(service).serve(Channel(sys.stdin.buffer, target))


if __name__ == "__main__":
    main(sys.argv[1])
