"""Reading of flatbuffer tables, and the extent of all that they refer to.

The extent shows that a file is not truncated, without any engine. Old engines
(tflite-runtime) do not check: they read past the end of a truncated file, and the process
dies.

Source of the format: flatbuffers.dev/internals.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass


class View:
    """A table in a flatbuffer.

    Attributes:
        end: where its vtable and its own bytes end, in bytes from the start of the file.

    Example:
        >>> data = struct.pack("<HHHHiI", 6, 8, 4, 0, 8, 7)  # vtable, padding, table
        >>> table = View(data, 8)
        >>> u32(data, table.field(0)), table.field(1), table.end
        (7, 0, 16)
    """

    def __init__(self, data: bytes, position: int) -> None:
        """Read the table at a position.

        Args:
            data: content of the file.
            position: in bytes from the start of the file.

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
        """Return the position of a field, 0 if it is omitted.

        Args:
            slot: number of the field in the schema.

        Raises:
            struct.error: an offset points outside the file.
        """
        entry = 4 + 2 * slot
        if entry + 2 > self._size:  # written by an older schema: no such field
            return 0
        offset = int(struct.unpack_from("<H", self._data, self._vtable + entry)[0])
        return self._position + offset if offset else 0


def follow(data: bytes, position: int) -> int:
    """Return the position that the offset at a position points to.

    Args:
        data: content of the file.
        position: in bytes from the start of the file.

    Raises:
        struct.error: the position is outside the file.

    Example:
        >>> follow(struct.pack("<II", 0, 4), 4)
        8
    """
    return position + u32(data, position)


def u32(data: bytes, position: int) -> int:
    """Read an unsigned 32-bit number.

    Args:
        data: content of the file.
        position: in bytes from the start of the file.

    Raises:
        struct.error: the position is outside the file.

    Example:
        >>> u32(bytes([1, 1, 0, 0]), 0)
        257
    """
    return int(struct.unpack_from("<I", data, position)[0])


@dataclass(frozen=True, eq=False)
class Table:
    """The schema of a table, as far as its fields are stored outside of it.

    Attributes:
        fields: such fields by slot: a table, a vector of tables, or a vector of scalars
            (as the size of one in bytes; text is a vector of 1).

    Example:
        >>> tensor = Table({0: 4, 3: 1})  # shape: int32; name: text
        >>> graph = Table({0: TableVector(tensor)})
    """

    fields: dict[int, Table | TableVector | int]


@dataclass(frozen=True, eq=False)
class TableVector:
    """A vector of tables with one schema."""

    table: Table


def extent(data: bytes, root: Table) -> int:
    """Return the end of the last item that the tables refer to, in bytes from the start.

    Args:
        data: content of the file.
        root: schema of the root table.

    Raises:
        struct.error: an offset points outside the file.

    Example:
        >>> extent(struct.pack("<IHHHHiI", 12, 6, 8, 4, 0, 8, 7), Table({}))
        20
    """
    walker = _Walker(data)
    walker.table(u32(data, 0), root)
    return walker.end


class _Walker:
    """Visits each table and vector once, so that a malicious file cannot make it run for long."""

    def __init__(self, data: bytes) -> None:
        self.end = 0
        self._data = data
        self._seen: set[tuple[int, Table | TableVector]] = set()

    def table(self, position: int, schema: Table) -> None:
        """Visit a table and all that it refers to."""
        if (position, schema) in self._seen:
            return
        self._seen.add((position, schema))
        view = View(self._data, position)
        self.end = max(self.end, view.end)
        for slot, field in schema.fields.items():
            if start := view.field(slot):
                self._field(start, field)

    def _field(self, position: int, schema: Table | TableVector | int) -> None:
        start = follow(self._data, position)
        if isinstance(schema, Table):
            self.table(start, schema)
            return
        count, first = u32(self._data, start), start + 4
        width = schema if isinstance(schema, int) else 4
        self.end = max(self.end, first + count * width)
        if isinstance(schema, TableVector) and (start, schema) not in self._seen:
            self._seen.add((start, schema))
            for index in range(count):
                element = first + 4 * index
                self.table(follow(self._data, element), schema.table)
