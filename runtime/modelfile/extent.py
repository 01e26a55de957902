"""Walks the tables of a flatbuffer to see that all of it is there.

No engine is needed for it. Old ones (tflite-runtime) do not look themselves: they
read past the end of a truncated file, and the process dies.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.modelfile.flatbuffer import View, follow, u32


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
