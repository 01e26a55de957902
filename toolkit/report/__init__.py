"""The report on a model and its files: an HTML page, Markdown, a model card."""

from __future__ import annotations

from toolkit.report.contents import Contents, gather
from toolkit.report.page import CARD, HTML, MARKDOWN, write

__all__ = ["CARD", "HTML", "MARKDOWN", "Contents", "gather", "write"]
