"""A reader of flatbuffer tables, and a walk that checks that all of a file is there.

No engine is needed for either. Old engines (tflite-runtime) do not check: they read past the
end of a truncated file, and the process dies.

Source of the format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


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


@dataclass(frozen=True, eq=False)
class Table:
    """A kind of table.

    Attributes:
        fields: what lies outside the table itself, by slot: a table, a vector of tables,
            or a vector of scalars (given as the bytes of one; text is a vector of 1).
    """

    fields: dict[int, Table | TableVector | int]


@dataclass(frozen=True, eq=False)
class TableVector:
    """A vector of tables of one kind."""

    table: Table


def extent(data: bytes, root: Table) -> int:
    """Return where the last thing ends that the tables refer to, in bytes from the start.

    Raises:
        struct.error: an offset points outside the file.
    """
    walker = _Walker(data)
    walker.table(u32(data, 0), root)
    return walker.end


class _Walker:
    """Visits each table and vector once, so that a hostile file cannot keep it busy for long."""

    def __init__(self, data: bytes) -> None:
        self.end = 0
        self._data = data
        self._seen: set[tuple[int, Table | TableVector]] = set()

    def table(self, position: int, kind: Table) -> None:
        """Visit a table and all that it refers to."""
        if (position, kind) in self._seen:
            return
        self._seen.add((position, kind))
        view = View(self._data, position)
        self.end = max(self.end, view.end)
        for slot, field in kind.fields.items():
            if place := view.field(slot):
                self._field(place, field)

    def _field(self, place: int, kind: Table | TableVector | int) -> None:
        start = follow(self._data, place)
        if isinstance(kind, Table):
            self.table(start, kind)
            return
        count, first = u32(self._data, start), start + 4
        width = kind if isinstance(kind, int) else 4
        self.end = max(self.end, first + count * width)
        if isinstance(kind, TableVector) and (start, kind) not in self._seen:
            self._seen.add((start, kind))
            for index in range(count):
                element = first + 4 * index
                self.table(follow(self._data, element), kind.table)
