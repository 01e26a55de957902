"""Charts as inline SVG in the colours of the page, also in dark mode."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from runtime.terminal.silence import silenced
from toolkit.evaluation.figures import confusion_figure
from toolkit.plots import history_figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from toolkit.evaluation.metrics import Evaluation
    from toolkit.recommend.choice import Measured

_FOREGROUND = "#0a0b0c"  # replaced by the text colour of the page
_STYLE: Any = {
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"),
        _FOREGROUND,
    ),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
    "legend.framealpha": 0.0,
    "svg.fonttype": "none",  # text stays text: small, and it can be searched and read aloud
    "svg.hashsalt": "edge-toolkit",  # the same chart gives the same bytes
}
_SMALLEST, _LARGEST = 40.0, 900.0  # area of a bubble, in square points
_MARKS = "osD^v<>P"
_WIDE = 5.0  # times the smallest latency: a narrower logarithmic axis may have no tick
_MARGIN = 0.25  # points of accuracy, above and below


def curves(history: Sequence[dict[str, float]]) -> str:
    """Return loss and accuracy over the epochs as SVG.

    Example::

        svg = curves([{"loss": 0.9, "accuracy": 0.7}, {"loss": 0.4, "accuracy": 0.9}])
    """
    return _svg(lambda: history_figure(history), "curves")


def confusion(evaluation: Evaluation, name: str) -> str:
    """Return a confusion matrix as SVG.

    Args:
        evaluation: the counts.
        name: prefix of the identifiers in the SVG, different from that of other charts.

    Example::

        svg = confusion(evaluate(scores, truth, labels), "keras")
    """
    return _svg(lambda: confusion_figure(evaluation), name)


def tradeoff(entries: Sequence[Measured], reference_accuracy: float) -> str:
    """Return accuracy against latency as SVG: one bubble per file and engine.

    The area of a bubble is the size of the file. The line joins the Pareto front of the two
    axes: no other point is both faster and at least as accurate.

    Args:
        entries: those without latency or accuracy are left out.
        reference_accuracy: of Keras, 0…1: a dashed line.

    Example::

        svg = tradeoff(recommendation.entries, recommendation.reference_accuracy)
    """
    shown = [
        one for one in entries if one.latency_ms is not None and one.parity.accuracy is not None
    ]
    return _svg(lambda: _tradeoff_figure(shown, reference_accuracy), "tradeoff")


def front(entries: Sequence[Measured]) -> list[Measured]:
    """Return the entries that no other beats in both latency and accuracy, fastest first.

    Example::

        fastest, *_ = front(recommendation.entries)
    """
    found: list[Measured] = []
    for one in sorted(
        entries, key=lambda one: (one.latency_ms or 0.0, -(one.parity.accuracy or 0.0))
    ):
        if not found or (one.parity.accuracy or 0.0) > (found[-1].parity.accuracy or 0.0):
            found.append(one)
    return found


def _tradeoff_figure(entries: Sequence[Measured], reference_accuracy: float) -> Figure:
    from toolkit.plots import new_figure

    figure = new_figure(9.0, 5.0)
    axes = figure.subplots()
    axes.axhline(100 * reference_accuracy, linestyle="--", linewidth=1, color="tab:gray")
    best = front(entries)
    axes.plot(
        *_points(best), color="tab:gray", marker=".", drawstyle="steps-post", label="Pareto front"
    )
    largest = max((one.size for one in entries), default=1)
    engines = list(dict.fromkeys(one.parity.backend for one in entries))
    for engine, mark in zip(engines, _MARKS, strict=False):
        ours = [one for one in entries if one.parity.backend == engine]
        areas = [max(_SMALLEST, _LARGEST * one.size / largest) for one in ours]
        axes.scatter(*_points(ours), s=areas, marker=mark, alpha=0.55, label=engine, zorder=2)
    _name(axes, entries)
    _scale(axes, _points(entries)[0])
    axes.set_ylim(*_span([*_points(entries)[1], 100 * reference_accuracy]))
    axes.set_xlabel("latency of one image, ms, one thread (less is better)")
    axes.set_ylabel("accuracy on the test images, %")
    axes.set_title("bubble: size of the file, named at its fastest engine; dashed: Keras")
    axes.grid(alpha=0.3)
    handles: Any = axes.legend(title="engine").legend_handles
    for handle in handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([60.0])
    return figure


def _scale(axes: Axes, latencies: Sequence[float]) -> None:
    """Make a wide range of latencies logarithmic, with plain numbers as labels."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    if not latencies or not 0 < _WIDE * min(latencies) <= max(latencies):
        axes.ticklabel_format(useOffset=False, style="plain")
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _span(percents: Sequence[float]) -> tuple[float, float]:
    """Return limits with a margin, so that a hundredth of a point does not look large."""
    low, high = min(percents), max(percents)
    margin = max(_MARGIN, 0.35 * (high - low))
    return low - margin, high + margin


def _points(entries: Sequence[Measured]) -> tuple[list[float], list[float]]:
    return (
        [one.latency_ms or 0.0 for one in entries],
        [100 * (one.parity.accuracy or 0.0) for one in entries],
    )


def _name(axes: Axes, entries: Sequence[Measured]) -> None:
    """Write each format at the bubble of its fastest engine, alternately above and below.

    Many files are equally accurate, and names at every bubble would overlap.
    """
    fastest: dict[str, Measured] = {}
    for one in sorted(entries, key=lambda one: one.latency_ms or 0.0):
        fastest.setdefault(one.parity.format, one)
    for place, one in enumerate(fastest.values()):
        (x,), (y,) = _points([one])
        up = place % 2 == 0
        step = 19 + 9 * (place // 2 % 3)  # points: clear of the largest bubble
        axes.annotate(
            one.parity.format,
            (x, y),
            xytext=(0, step if up else -step),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=7,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": _FOREGROUND},
        )


def _svg(draw: Callable[[], Figure], name: str) -> str:
    """Return a figure as SVG for a page: with its colours, and unique identifiers."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context(_STYLE), silenced():  # the font of the browser may have what this one lacks
        draw().savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(_FOREGROUND, "currentColor")
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    # without a size in points the page determines the width
    return re.sub(r'<svg ([^>]*?)\s*width="[^"]*"\s*', r"<svg \1 ", text, count=1)
