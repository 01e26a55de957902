"""Writing of protobuf messages from pairs of field number and value.

Source of the format: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterable

Field = tuple[int, int | str | bytes]
_VARINT, _BYTES = 0, 2


def message(fields: Iterable[Field]) -> bytes:
    """Return an encoded message.

    Args:
        fields: field number with an integer from 0 up, a text, or bytes (a message, or raw
            data); a repeated field is listed once per value.

    Example:
        >>> message([(1, 150), (2, "hi")]).hex()
        '08960112026869'
    """
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))
