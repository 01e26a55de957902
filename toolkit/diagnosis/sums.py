"""Running sums over batches of activations, so that only one batch is held in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.inspection import TensorRange

_LOWEST_DB = -200.0
_BEYOND = 1.01  # steps; a softmax of 1.0 is one step above what int8 holds


@dataclass(slots=True)
class Difference:
    """Sums of squares of a signal, of its quantized version, and of their difference.

    Example:
        >>> difference = Difference()
        >>> difference.add(np.array([3.0, 4.0], np.float32), np.array([3.0, 3.5], np.float32))
        >>> round(difference.sqnr, 6), round(difference.cosine, 4)
        (20.0, 0.9979)
    """

    signal: float = 0.0
    quantized: float = 0.0
    product: float = 0.0
    noise: float = 0.0

    def add(self, expected: NDArray[np.float32], actual: NDArray[np.float32]) -> None:
        """Add one batch; both have the same number of values."""
        a, b = (values.ravel().astype(np.float64) for values in (expected, actual))
        self.signal += float(a @ a)
        self.quantized += float(b @ b)
        self.product += float(a @ b)
        self.noise += float(((a - b) ** 2).sum())

    @property
    def sqnr(self) -> float:
        """Signal to quantization noise ratio, dB; infinite without noise."""
        if self.noise == 0:
            return math.inf
        ratio = self.signal / self.noise
        return max(10 * math.log10(ratio), _LOWEST_DB) if ratio > 0 else _LOWEST_DB

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the two, -1…1; 1 if both are zero."""
        if self.signal == 0 or self.quantized == 0:
            return 1.0 if self.signal == self.quantized else 0.0
        return self.product / math.sqrt(self.signal) / math.sqrt(self.quantized)


@dataclass(slots=True)
class Extent:
    """Which values a tensor takes, compared with those that it can hold.

    Example:
        >>> from toolkit.inspection import TensorRange
        >>> held, extent = TensorRange(0.0, 4.0, 0.1), Extent()
        >>> extent.add(np.array([0.0, 1.0, 2.0, 9.0], np.float32), held)
        >>> extent.saturated, extent.use(held)
        (0.25, 1.0)
    """

    low: float = math.inf
    high: float = -math.inf
    beyond: int = 0
    count: int = 0

    def add(self, values: NDArray[np.float32], held: TensorRange | None) -> None:
        """Add one batch of real values."""
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
        self.count += values.size
        if held is not None:
            slack = _BEYOND * held.step
            outside = (values > held.high + slack) | (values < held.low - slack)
            self.beyond += int(np.count_nonzero(outside))

    @property
    def saturated(self) -> float:
        """Share of the values beyond what can be held, 0…1."""
        return self.beyond / max(self.count, 1)

    def use(self, held: TensorRange) -> float:
        """Return the share of the range between the values' ends, 0…1."""
        inside = min(self.high, held.high) - max(self.low, held.low)
        return float(np.clip(inside / (held.high - held.low), 0.0, 1.0))
