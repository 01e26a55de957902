"""The report of the gate as Markdown, for pull requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.parity.report import listed, of_several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.parity.report import ArtifactParity, ParityReport

_HEADINGS = (
    "format", "engine", "accuracy", "change (points, 95 %)", "same label", "McNemar p",
    "max diff", "mean diff", "SQNR", "verdict",
)  # fmt: skip


def markdown(report: ParityReport) -> str:
    """Return head, table, sentences and reasons.

    Example:
        >>> from toolkit.parity.report import ParityReport
        >>> markdown(ParityReport("pass", 0.9958, 10_000, ())).splitlines()[2]
        'Keras is right on 99.58% of 10,000 test images.'
    """
    head = (
        f"## Parity: {report.verdict}\n\nKeras is right on {report.reference_accuracy:.2%} of "
        f"{report.images:,} test images."
    )
    rows = [_row(_HEADINGS), _row(["---"] * len(_HEADINGS))]
    rows += [_row(_cells(entry)) for entry in report.artifacts]
    return "\n".join([head, "", *rows, "", *_sentences(report)])


def _cells(entry: ArtifactParity) -> list[str]:
    found = entry.metrics
    if found is None:
        return [f"`{entry.format}`", entry.backend, *[""] * 7, entry.verdict]
    low, high = (100 * bound for bound in found.accuracy_delta_interval)
    return [
        f"`{entry.format}`",
        entry.backend,
        f"{found.accuracy:.2%}",
        f"{100 * found.accuracy_delta:+.2f} ({low:+.2f} … {high:+.2f})",
        f"{found.agreement:.2%}",
        f"{found.mcnemar_p:.2g}",
        f"{found.max_abs_error:.1e}",
        f"{found.mean_abs_error:.1e}",
        f"{found.sqnr_db:.0f} dB",
        f"**{entry.verdict}**",
    ]


def _sentences(report: ParityReport) -> list[str]:
    rows = []
    for entry, *others in report.alike:
        group = (entry, *others)
        names = listed(group, lambda one: Path(one.path).name)
        rows.append(f"- {names}: {of_several(group) if others else entry.sentence}")
        rows += [f"  - {reason}" for reason in entry.reasons if reason not in entry.sentence]
    return rows + [f"- Note: {note}" for note in report.all_notes]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
