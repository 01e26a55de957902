"""Writes flatbuffers: tables as dictionaries from slot to value.

Source of the format: flatbuffers.dev/internals. Every field of a table takes four bytes here;
readers use the offsets in its vtable, so smaller fields may be padded.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

_ALIGN = 16  # required of weights by engines; more than enough for everything else


def write(root: dict[int, Any], identifier: bytes) -> bytes:
    """Return a flatbuffer.

    Args:
        root: slot to value. A value is an integer, text, an array (a vector of scalars),
            a dictionary (a table), or a list of dictionaries (a vector of tables).
        identifier: four bytes.

    Example:
        >>> write({0: 3}, b"TFL3")[4:8]
        b'TFL3'
    """
    data = bytearray(4) + identifier
    _set_offset(data, 0, _append(data, root))
    return bytes(data)


def _append(data: bytearray, value: Any) -> int:
    """Append a table, vector or text, and return where it begins."""
    if isinstance(value, dict):
        return _table(data, value)
    if isinstance(value, list):
        return _tables(data, value)
    if isinstance(value, str):
        start = _pad(data, 0)
        data += struct.pack("<I", len(value)) + value.encode() + b"\0"
        return start
    start = _pad(data, 4)
    data += struct.pack("<I", value.size) + np.ascontiguousarray(value).tobytes()
    return start


def _table(data: bytearray, fields: dict[int, Any]) -> int:
    slots = max(fields, default=-1) + 1
    places = {slot: 4 + 4 * index for index, slot in enumerate(fields)}
    vtable = _pad(data, 0)
    offsets = [places.get(slot, 0) for slot in range(slots)]
    data += struct.pack(f"<{2 + slots}H", 4 + 2 * slots, 4 + 4 * len(fields), *offsets)
    start = _pad(data, 0)
    data += struct.pack("<i", start - vtable) + bytes(4 * len(fields))
    for slot, value in fields.items():
        place = start + places[slot]
        if isinstance(value, int):
            struct.pack_into("<i", data, place, value)
        else:
            _set_offset(data, place, _append(data, value))
    return start


def _tables(data: bytearray, tables: list[dict[int, Any]]) -> int:
    start = _pad(data, 0)
    data += struct.pack("<I", len(tables)) + bytes(4 * len(tables))
    for index, table in enumerate(tables):
        _set_offset(data, start + 4 + 4 * index, _append(data, table))
    return start


def _pad(data: bytearray, header: int) -> int:
    """Pad so that what follows a header of some bytes is aligned; return where that begins."""
    data += bytes(-(len(data) + header) % _ALIGN)
    return len(data)


def _set_offset(data: bytearray, place: int, target: int) -> None:
    struct.pack_into("<I", data, place, target - place)
