"""The report of the gate as text for a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.commands._reporter import render, wrap
from toolkit.parity.metrics import ALLCLOSE
from toolkit.parity.report import listed, of_several

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolkit.parity import ArtifactParity, ParityReport
    from toolkit.parity.controls import ControlResult
    from toolkit.parity.matrix import MatrixCell

_FLIPS = 3  # that are listed for a file
_LEFT = ("format", "engine", "file", "control")


def report_text(report: ParityReport) -> str:
    """Return table, verdicts in words, reasons and notes."""
    head = (
        f"Keras is right on {report.reference_accuracy:.2%} of {report.images:,} test images.\n"
        "Change is in points of accuracy; same is the share of images with Keras's label."
    )
    headings = ("format", "engine", "accuracy", "change", "same", "max diff", "verdict")
    rows = [_cells(entry) for entry in report.artifacts]
    lines = [line for group in report.alike for line in _sentences(group)]
    lines += [line for note in report.all_notes for line in wrap(f"Note: {note}")]
    return "\n".join([head, _table(headings, rows), *lines, f"Verdict: {report.verdict}"])


def matrix_lines(cells: Sequence[MatrixCell]) -> Iterator[str]:
    """Return the engine matrix: a row for each file and engine."""
    if not cells:
        return
    yield ""
    yield "Each file in every engine; labels against its first engine, batch 1, 1 thread:"
    headings = ("format", "engine", "batches", "threads", "other", "max diff", "verdict")
    rows: dict[tuple[str, str], list[MatrixCell]] = {}
    for cell in cells:
        rows.setdefault((cell.path, cell.backend), []).append(cell)
    yield _table(headings, [_matrix_row(group) for group in rows.values()])
    for cell in cells:
        if cell.reason:
            yield from wrap(f"{Path(cell.path).name} on {cell.backend}: {cell.reason}")


def control_lines(results: Sequence[ControlResult]) -> Iterator[str]:
    """Return the verdict of the gate on each file that was broken on purpose."""
    if not results:
        return
    yield ""
    yield "Self-check: files broken on purpose, each of which must fail."
    verdicts = {True: "caught", False: "NOT CAUGHT", None: "-"}
    yield "The last columns: the verdict of np.allclose on the outputs, by tolerance."
    tolerances = [f"{tolerance:g}" for tolerance in ALLCLOSE]
    rows = [
        [r.control, r.format, verdicts[r.caught], *(_text(r.allclose.get(t)) for t in tolerances)]
        for r in results
    ]
    yield _table(("control", "format", "gate", *tolerances), rows)
    for result in results:
        reason = result.reasons[-1] if result.reasons else "the gate passed it"
        yield from wrap(f"{result.control} ({result.format}): {reason}")


def _text(same: bool | None) -> str:
    return "" if same is None else "pass" if same else "fail"


def _cells(entry: ArtifactParity) -> list[str]:
    found = entry.metrics
    if found is None:
        return [entry.format, entry.engine, "", "", "", "", entry.verdict]
    return [
        entry.format,
        entry.engine,
        f"{found.accuracy:.2%}",
        f"{found.accuracy_delta * 100:+.2f}",
        f"{found.agreement:.2%}",
        f"{found.max_abs_error:.1e}",
        entry.verdict,
    ]


def _sentences(group: Sequence[ArtifactParity]) -> Iterator[str]:
    entry, *others = group
    if others:
        names = listed(group, lambda one: one.format)
        yield from wrap(f"{names}: {of_several(group)}")
        return
    yield from wrap(f"{entry.sentence} ({entry.engine})" if entry.metrics else entry.sentence)
    if entry.teacher:
        yield from wrap(entry.teacher.sentence, indent="  ")
    if entry.metrics:
        for flip in entry.metrics.flips[:_FLIPS]:
            unsure = ", unsure" if flip.near_tie else ""
            yield from wrap(
                f"image {flip.image}: Keras {flip.expected} (margin {flip.margin:.2f}{unsure}), "
                f"file {flip.answer}, truth {flip.truth}",
                indent="  ",
            )
        if more := len(entry.metrics.flips) - _FLIPS:
            yield from [f"  and {more:,} more: --flips DIR, --json"] if more > 0 else []
        for reason in entry.reasons:
            yield from wrap(f"{entry.verdict}: {reason}", indent="  ")


def _matrix_row(group: list[MatrixCell]) -> list[str]:
    first = group[0]
    if first.max_difference is None:
        return [first.format, first.backend, "", "", "", "", first.verdict]
    verdict = "fail" if any(cell.verdict == "fail" for cell in group) else "pass"
    return [
        first.format,
        first.backend,
        ",".join(dict.fromkeys(str(cell.batch) for cell in group)),
        ",".join(dict.fromkeys(str(cell.threads) for cell in group)),
        f"{max(cell.different for cell in group)} of {first.images}",
        f"{max(cell.max_difference or 0.0 for cell in group):.1e}",
        verdict,
    ]


def _table(headings: Sequence[str], rows: list[list[str]]) -> str:
    from rich.box import SIMPLE
    from rich.table import Table

    grid = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in headings:
        grid.add_column(heading, justify="left" if heading in _LEFT else "right")
    for row in rows:
        grid.add_row(*row)
    return render(grid)
