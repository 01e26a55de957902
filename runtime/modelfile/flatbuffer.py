"""Finds the fields of flatbuffer tables.

Source of the format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct


class View:
    """A table in a flatbuffer.

    Attributes:
        end: where its vtable and its own bytes end, in bytes from the start of the file.
    """

    def __init__(self, data: bytes, position: int) -> None:
        """Take the table at a position.

        Raises:
            struct.error: an offset points outside the file.
        """
        self._data, self._position = data, position
        self._vtable = position - int(struct.unpack_from("<i", data, position)[0])
        if self._vtable < 0:
            raise struct.error("vtable before the start")
        self._size, length = struct.unpack_from("<HH", data, self._vtable)
        self.end = max(self._vtable + self._size, position + length)

    def field(self, slot: int) -> int:
        """Return the position of a field, 0 where it is left out.

        Raises:
            struct.error: an offset points outside the file.
        """
        entry = 4 + 2 * slot
        if entry + 2 > self._size:  # written by an older schema: the field is not there
            return 0
        offset = int(struct.unpack_from("<H", self._data, self._vtable + entry)[0])
        return self._position + offset if offset else 0


def follow(data: bytes, position: int) -> int:
    """Return what the offset at a position points to.

    Raises:
        struct.error: the position is outside the file.
    """
    return position + u32(data, position)


def u32(data: bytes, position: int) -> int:
    """Read an unsigned 32-bit number.

    Raises:
        struct.error: the position is outside the file.
    """
    return int(struct.unpack_from("<I", data, position)[0])
