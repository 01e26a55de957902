"""Explanation of a network: what each layer does, its cost, and its receptive field."""

from __future__ import annotations

from toolkit.explain.fields import Field
from toolkit.explain.layers import LayerRow, describe
from toolkit.explain.maps import DRAWN, MapRow, draw, feature_maps

__all__ = ["DRAWN", "Field", "LayerRow", "MapRow", "describe", "draw", "feature_maps"]
