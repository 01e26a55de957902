"""Messages between two of our processes: one line of JSON, then the bytes of one array."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def send(stream: IO[bytes], fields: dict[str, Any], array: NDArray[Any] | None = None) -> None:
    """Write one message.

    Args:
        stream: a pipe.
        fields: plain JSON values.
        array: what goes with them; none is sent as an empty array.
    """
    data = np.ascontiguousarray(np.empty(0, np.float32) if array is None else array)
    head = {"shape": data.shape, "dtype": data.dtype.name, "fields": fields}
    stream.write(json.dumps(head).encode() + b"\n" + data.tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], NDArray[Any]] | None:
    """Read one message; None where the other end has closed or died in the middle of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    head = json.loads(line)
    dtype, shape = np.dtype(head["dtype"]), tuple(head["shape"])
    size = int(np.prod(shape)) * dtype.itemsize
    data = stream.read(size)
    if len(data) < size:
        return None
    return head["fields"], np.frombuffer(data, dtype).reshape(shape)
