"""Explains a network: what each layer does, what it costs, and what it sees of an image."""

from __future__ import annotations

from toolkit.explain.fields import Field
from toolkit.explain.layers import LayerRow, describe
from toolkit.explain.maps import DRAWN, MapRow, draw, feature_maps

__all__ = ["DRAWN", "Field", "LayerRow", "MapRow", "describe", "draw", "feature_maps"]
