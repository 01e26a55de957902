"""The texts of ``toolkit recommend``: why this file, what is odd, what to do if none passes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.parity import PASS, REFUSED
from toolkit.recommend.choice import SAME_SPEED, Measured, as_fast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.recommend.choice import Limits

VERY_SLOW = 5.0  # times the latency of float32
_UNDISTURBED = 0.9  # processor time over time, of one busy thread
_DROP = 0.1  # limit of a search for settings, in points, if the user sets none
_KB = 1000


def why(chosen: Measured, entries: Sequence[Measured]) -> str:
    """Return as a sentence why this one.

    Args:
        chosen: one of the entries.
        entries: all that were judged.

    Example::

        entries = judge(measured, Limits())
        print(why(pick(entries), entries))  # tflite-int8 on litert: the fastest of the 8 …
    """
    allowed = [entry for entry in entries if not entry.excluded]
    parts = [_rank(chosen, allowed), _size(chosen, entries), _accuracy(chosen)]
    return f"{chosen.parity.format} on {chosen.parity.backend}: {'; '.join(parts)}."


def why_none(entries: Sequence[Measured], limits: Limits) -> str:
    """Return as a sentence that nothing can be chosen, and what to do about it.

    Args:
        entries: all that were judged, each of them excluded.
        limits: those that the user set.

    Example::

        limits = Limits(max_size=100_000)
        print(why_none(judge(measured, limits), limits))
    """
    count = "the file does not pass" if len(entries) == 1 else f"none of {len(entries)} passes"
    if _all_refused(entries):
        return f"{count}: the engine takes none of them; use the one that does: --backend auto"
    small = _too_large_only(entries, limits)
    if small:
        where = f"{small.parity.format} with {small.size:,} bytes"
        return (
            f"{count}; the smallest that keeps the other limits is {where}: --max-size {small.size}"
        )
    return f"{count}; let the export search for a file that does: {remedy(entries, limits)}"


def remedy(
    entries: Sequence[Measured], limits: Limits, model: str = "", again: Sequence[str] = ()
) -> str:
    """Return the command that leads to a file which passes.

    Args:
        entries: all that were judged, each of them excluded.
        limits: those that the user set.
        model: the run or Keras file, quoted for the shell; empty for the latest run.
        again: the other arguments of the command, quoted, without limits and engine.

    Example::

        print(remedy(judge(measured, limits), limits, "runs/1"))
        # toolkit export runs/1 --format tflite-int8 --max-drop 0.1
    """
    typed = " ".join(["toolkit recommend", *again, *([f"--against {model}"] if model else [])])
    if limits.max_drop is not None:
        typed += f" --max-drop {limits.max_drop:g}"
    if _all_refused(entries):
        return f"{typed} --backend auto"
    small = _too_large_only(entries, limits)
    if small:
        engines = {entry.parity.backend for entry in entries}
        engine = "" if len(engines) > 1 else f" --backend {small.parity.backend}"
        return f"{typed}{engine} --max-size {small.size}"
    only_onnx = all(_suffix(entry) == ".onnx" for entry in entries)
    family = "onnx-int8" if only_onnx else "tflite-int8"
    drop = _DROP if limits.max_drop is None else limits.max_drop
    return f"toolkit export{f' {model}' if model else ''} --format {family} --max-drop {drop:g}"


def notes(entries: Sequence[Measured], cpu_share: float = 1.0) -> tuple[str, ...]:
    """Return notes: int8 no faster than float32, very slow files, a busy machine.

    Args:
        entries: all that were measured.
        cpu_share: processor time over time while they were timed.

    Example:
        >>> print(*notes([], cpu_share=0.6))
        other programs took 40% of the processor while timing: latencies are too high, ...
    """
    found = [_speed_note(entry, entries) for entry in entries]
    if cpu_share < _UNDISTURBED:
        found.append(
            f"other programs took {1 - cpu_share:.0%} of the processor while timing: latencies "
            "are too high, those of slow files most; time again when nothing else runs"
        )
    return tuple(note for note in found if note)


def size_text(size: int) -> str:
    """Return a number of bytes with a unit.

    Example:
        >>> [size_text(size) for size in (512, 906_300, 3_560_000)]
        ['512 bytes', '906 kB', '3.56 MB']
    """
    if size < _KB:
        return f"{size} bytes"
    return f"{size / _KB:.0f} kB" if size < 999_500 else f"{size / _KB**2:.2f} MB"


def ms_text(milliseconds: float) -> str:
    """Return a latency with three significant digits.

    Example:
        >>> [ms_text(value) for value in (0.0512, 1.234, 123.4)]
        ['0.051', '1.23', '123']
    """
    digits = 3 if milliseconds < 1 else 2 if milliseconds < 10 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:.{digits}f}"


def _rank(chosen: Measured, allowed: list[Measured]) -> str:
    """Return how its speed and size rank among those that pass."""
    speed = f"{ms_text(chosen.costs[2])} ms per image"
    if len(allowed) == 1:
        return f"the only one that passes, {speed}"
    rivals = as_fast(allowed)
    fastest = min(allowed, key=lambda entry: entry.costs[2])
    if len(rivals) == 1:
        return f"the fastest of the {len(allowed)} that pass, {speed}"
    same = [entry for entry in rivals if entry.size == chosen.size]
    least = "the smallest" + (" with the least memory" if len(same) > 1 else "") + " of those"
    if fastest is chosen:
        return (
            f"the fastest of the {len(allowed)} that pass, {speed}, and {least} within 10 % of it"
        )
    return (
        f"{speed}, within {SAME_SPEED - 1:.0%} of the fastest ({fastest.parity.format} on "
        f"{fastest.parity.backend}, {ms_text(fastest.costs[2])} ms), and {least}"
    )


def _size(chosen: Measured, entries: Sequence[Measured]) -> str:
    """Return how large it is, and how it compares with float32."""
    base = _float32(chosen, entries)
    own = f"{size_text(chosen.size)}, {chosen.peak_memory_mb:.0f} MB of memory"
    if base is None or base is chosen or base.latency_ms is None or chosen.latency_ms is None:
        return own
    share, faster = f"{chosen.size / base.size:.0%}", base.latency_ms / chosen.latency_ms
    if faster < SAME_SPEED:
        return f"{own}, {share} of the size of float32"
    return f"{own}; {faster:.1f} times as fast as float32 and {share} of its size"


def _accuracy(chosen: Measured) -> str:
    if abs(chosen.drop) < 0.005:
        return "accuracy as Keras's"
    return (
        f"accuracy {abs(chosen.drop):.2f} points {'below' if chosen.drop > 0 else 'above'} Keras's"
    )


def _float32(entry: Measured, entries: Sequence[Measured]) -> Measured | None:
    """Return the float32 file of the same kind on the same engine, if it was measured."""
    for other in entries:
        same = other.parity.backend == entry.parity.backend and _suffix(other) == _suffix(entry)
        if same and other.variant == "float32" and other.latency_ms is not None:
            return other
    return None


def _suffix(entry: Measured) -> str:
    return Path(entry.parity.path).suffix.lower()


def _speed_note(entry: Measured, entries: Sequence[Measured]) -> str:
    base = _float32(entry, entries)
    if base is None or base is entry or entry.latency_ms is None or base.latency_ms is None:
        return ""
    ratio = entry.latency_ms / base.latency_ms
    times = (
        f"{ms_text(entry.latency_ms)} ms against {ms_text(base.latency_ms)} ms, {ratio:.2g} times"
    )
    where = f"{entry.parity.format} on {entry.parity.backend}"
    if ratio > VERY_SLOW:
        return f"{where} is very slow on this machine: {times} the latency of float32"
    if entry.variant == "int8" and ratio > 1 / SAME_SPEED:
        word = "not" if ratio >= 1 else "hardly"
        return f"int8 is {word} faster than float32 on this machine: {where}, {times} the latency"
    return ""


def _all_refused(entries: Sequence[Measured]) -> bool:
    return all(entry.parity.verdict == REFUSED for entry in entries)


def _too_large_only(entries: Sequence[Measured], limits: Limits) -> Measured | None:
    """Return the smallest entry that only ``--max-size`` excludes.

    None if there is none, or if a file that is small enough fails otherwise: fixing that
    one is better.
    """
    if limits.max_size is None:
        return None
    for entry in entries:
        if entry.size <= limits.max_size and entry.parity.verdict != REFUSED:
            return None
    large = [
        entry for entry in entries if entry.parity.verdict == PASS and len(entry.excluded) == 1
    ]
    return min(large, key=lambda entry: entry.size, default=None)
