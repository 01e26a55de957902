"""Walks the tables of a flatbuffer to see that all of it is there.

No engine is needed for it. Old ones (tflite-runtime) do not look themselves: they
read past the end of a truncated file, and the process dies.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


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
    walker.table(walker.u32(0), root)
    return walker.end


class _Walker:
    """Visits each table and vector once, so that a hostile file cannot keep it busy for long."""

    def __init__(self, data: bytes) -> None:
        self.end = 0
        self._data = data
        self._seen: set[tuple[int, Table | TableVector]] = set()

    def u32(self, position: int) -> int:
        """Read an unsigned 32-bit number."""
        return int(struct.unpack_from("<I", self._data, position)[0])

    def table(self, position: int, kind: Table) -> None:
        """Visit a table and all that it refers to."""
        if (position, kind) in self._seen:
            return
        self._seen.add((position, kind))
        vtable = position - struct.unpack_from("<i", self._data, position)[0]
        if vtable < 0:
            raise struct.error("vtable before the start")
        size, length = struct.unpack_from("<HH", self._data, vtable)
        self.end = max(self.end, vtable + size, position + length)
        for slot, field in kind.fields.items():
            if 6 + 2 * slot > size:  # written by an older schema: the field is not there
                continue
            (offset,) = struct.unpack_from("<H", self._data, vtable + 4 + 2 * slot)
            if offset:
                self._field(position + offset, field)

    def _field(self, place: int, kind: Table | TableVector | int) -> None:
        start = place + self.u32(place)
        if isinstance(kind, Table):
            self.table(start, kind)
            return
        count, first = self.u32(start), start + 4
        width = kind if isinstance(kind, int) else 4
        self.end = max(self.end, first + count * width)
        if isinstance(kind, TableVector) and (start, kind) not in self._seen:
            self._seen.add((start, kind))
            for index in range(count):
                element = first + 4 * index
                self.table(element + self.u32(element), kind.table)
