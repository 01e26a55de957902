"""Compression of a trained model: a narrower network, distilled from it."""

from __future__ import annotations

from toolkit.compression.compress import Compression, Compressor
from toolkit.compression.options import CompressOptions
from toolkit.compression.search import TIMED_FORMAT

__all__ = ["TIMED_FORMAT", "CompressOptions", "Compression", "Compressor"]
