"""Pages rendered from the templates of this package."""

from __future__ import annotations

from typing import Any

from runtime.errors import MissingDependencyError


def render(template: str, **values: Any) -> str:
    """Render a template; values are escaped in HTML, and only there.

    Args:
        template: its name, for example ``flips.html``.
        values: its variables; there are filters ``percent`` and ``thousands``.

    Raises:
        MissingDependencyError: jinja2 is not installed.

    Example::

        html = render("flips.html", report=report, entries=entries)
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    except ImportError as error:
        raise MissingDependencyError("jinja2", "train", "write HTML pages") from error
    environment = Environment(
        loader=PackageLoader("toolkit"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["percent"] = lambda share, digits=2: f"{100 * share:.{digits}f}%"
    environment.filters["thousands"] = lambda count: f"{count:,}"
    return environment.get_template(f"{template}.j2").render(**values)
