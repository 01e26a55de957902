"""Writes a report: a self-contained HTML file, Markdown, or a model card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.modelfile.files import write_atomically
from runtime.registry import installed_version
from toolkit.parity.markdown import markdown as parity_markdown
from toolkit.parity.report import listed, of_several
from toolkit.recommend.explanation import ms_text
from toolkit.report import charts
from toolkit.templates.page import render

if TYPE_CHECKING:
    from toolkit.parity import ParityReport
    from toolkit.recommend.choice import Measured
    from toolkit.report.contents import Contents

HTML, MARKDOWN, CARD = "report.html", "report.md", "card.md"
_LIBRARIES = {".tflite": "tflite", ".onnx": "onnx"}


def write(contents: Contents, kind: str, path: Path) -> None:
    """Write a report in one of the three kinds.

    Args:
        contents: the contents.
        kind: ``HTML``, ``MARKDOWN`` or ``CARD``.
        path: of the file.

    Raises:
        MissingDependencyError: jinja2 or matplotlib is not installed.
        OSError: it cannot be written.

    Example::

        write(contents, CARD, Path("README.md"))
    """
    extra = {HTML: _html, MARKDOWN: _markdown, CARD: _card}[kind](contents)
    version = installed_version("edge-toolkit") or "of a checkout"
    page = render(kind, report=contents, version=version, rows=_rows(contents), **extra)
    write_atomically(path, page.encode())


def _html(contents: Contents) -> dict[str, Any]:
    measured = contents.measured
    return {
        "curves": charts.curves(contents.history) if contents.history else "",
        "keras_matrix": charts.confusion(contents.keras, "keras"),
        "chosen_matrix": charts.confusion(contents.chosen, "chosen") if contents.chosen else "",
        "tradeoff": charts.tradeoff(measured.entries, measured.reference_accuracy),
        "classes": _classes(contents),
        "verdicts": _verdicts(contents.measured.parity),
    }


def _markdown(contents: Contents) -> dict[str, Any]:
    return {"parity": parity_markdown(contents.measured.parity), "classes": _classes(contents)}


def _card(contents: Contents) -> dict[str, Any]:
    chosen = contents.measured.chosen
    library = _LIBRARIES[Path(chosen.parity.path).suffix] if chosen else "keras"
    return {"library": library, "classes": _classes(contents)}


def _rows(contents: Contents) -> list[dict[str, Any]]:
    """Return the table format x engine, as texts."""
    chosen = contents.measured.chosen
    return [_row(one) | {"chosen": one is chosen} for one in contents.measured.entries]


def _verdicts(parity: ParityReport) -> list[dict[str, str]]:
    """Return the verdicts as sentences, equal ones together."""
    return [
        {
            "names": listed(group, lambda one: Path(one.path).name),
            "verdict": group[0].verdict,
            "sentence": of_several(group) if group[1:] else group[0].sentence,
        }
        for group in parity.alike
    ]


def _row(entry: Measured) -> dict[str, Any]:
    def text(value: float | None, pattern: str) -> str:
        return "" if value is None else format(value, pattern)

    delta = None if entry.parity.accuracy_delta is None else 100 * entry.parity.accuracy_delta
    return {
        "format": entry.parity.format,
        "engine": entry.parity.backend,
        "accuracy": text(entry.parity.accuracy, ".2%"),
        "change": text(delta, "+.2f"),
        "same": text(entry.parity.agreement, ".2%"),
        "ms": "" if entry.latency_ms is None else ms_text(entry.latency_ms),
        "size": f"{entry.size / 1000:,.0f} kB",
        "memory": text(entry.peak_memory_mb, ".0f"),
        "verdict": entry.parity.verdict,
        "pareto": entry.pareto,
    }


def _classes(contents: Contents) -> list[dict[str, Any]]:
    """Return precision, recall and F1 of each class, for Keras and for the chosen file."""
    chosen = contents.chosen.per_class if contents.chosen else {}
    return [
        {"label": label, "keras": values, "chosen": chosen.get(label)}
        for label, values in contents.keras.per_class.items()
    ]
