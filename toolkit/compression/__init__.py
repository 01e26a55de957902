"""Makes a smaller network that answers as the teacher does: narrowed, then distilled."""

from __future__ import annotations

from toolkit.compression.compress import Compression, Compressor
from toolkit.compression.options import CompressOptions

__all__ = ["CompressOptions", "Compression", "Compressor"]
