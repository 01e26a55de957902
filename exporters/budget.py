"""Parity budgets: the allowed difference between a model file and its Keras model."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from runtime.errors import InputError

_LEAST = ("min_agreement", "min_cosine", "min_sqnr")  # the lower the looser
_SHARES = ("min_agreement", "max_abs_error", "max_mean_error", "min_cosine", "tie_margin")


@dataclass(frozen=True, slots=True)
class ParityBudget:
    """Limits of one format; a file beyond one of them fails the parity gate.

    Attributes:
        max_drop: largest loss of accuracy, in points (0.5 is half a point); a loss that
            chance alone explains does not count.
        min_agreement: smallest share of images with the same label, 0…1; an image on
            which Keras itself is undecided does not count against it, and one image
            may always differ.
        max_abs_error: largest difference of a probability, 0…1.
        tie_margin: Keras is undecided where its two highest probabilities are
            closer than this, 0…1.
        max_mean_error: largest mean difference of a probability, 0…1.
        max_kl: largest mean Kullback-Leibler divergence of the file's probabilities
            from Keras's, in nats.
        min_cosine: smallest mean cosine similarity of the probabilities, 0…1.
        min_sqnr: smallest signal to quantization noise ratio of the probabilities, in dB.

    Example:
        >>> budget = ParityBudget(0.5, 0.99, max_abs_error=0.5, tie_margin=0.1)
        >>> budget.allowed_flips(1000)
        10
    """

    max_drop: float
    min_agreement: float
    max_abs_error: float
    tie_margin: float
    max_mean_error: float = 1.0
    max_kl: float = math.inf
    min_cosine: float = 0.0
    min_sqnr: float = -math.inf

    def __post_init__(self) -> None:
        """Validate the fields.

        Raises:
            InputError: a limit is out of its range.
        """
        if not 0.0 <= self.max_drop <= 100.0:
            raise InputError(f"max-drop is in points of accuracy, 0…100, not {self.max_drop:g}")
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                option = name.replace("_", "-")
                raise InputError(f"{option} lies in 0…1, not {getattr(self, name):g}")
        if not self.max_kl >= 0.0 or math.isnan(self.min_sqnr):
            raise InputError("max-kl must not be negative, and min-sqnr is a number of dB")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all limits, in order.

        Example:
            >>> ParityBudget.names()[:3]
            ('max_drop', 'min_agreement', 'max_abs_error')
        """
        return tuple(field.name for field in fields(cls))

    def allowed_flips(self, images: int) -> int:
        """Return on how many of ``images`` the label may differ; one always may.

        Example:
            >>> [EXACT.allowed_flips(images) for images in (10, 10_000)]
            [1, 5]
        """
        return max(1, math.floor((1 - self.min_agreement) * images + 1e-9))

    def or_looser(self, other: ParityBudget) -> ParityBudget:
        """Return a budget with the looser of the two limits in each field.

        Example:
            >>> EXACT.or_looser(ON_GPU["float16"]).max_abs_error
            0.05
        """
        looser = {
            name: (min if name in _LEAST else max)(getattr(self, name), getattr(other, name))
            for name in self.names()
        }
        return ParityBudget(**looser)


# Chosen from what correct conversions showed on 10,000 MNIST test images (largest
# differences 1e-6 for float32, 7e-4 for float16, 0.02 for int16 activations with int8
# weights, 0.08 for int8), with room for models that are less sure of themselves.
# 0.06 points: 6 of 10,000 images, the least that the exact McNemar test can see there.
EXACT = ParityBudget(0.06, 0.9995, 1e-3, 1e-4, 1e-4, max_kl=1e-4, min_cosine=0.9999, min_sqnr=60)
HALF = ParityBudget(0.1, 0.999, 0.02, 1e-2, 1e-3, max_kl=1e-3, min_cosine=0.999, min_sqnr=40)
INT16_ACTIVATIONS = ParityBudget(
    0.2, 0.998, 0.1, 0.02, 0.005, max_kl=0.01, min_cosine=0.998, min_sqnr=30
)
INTEGER = ParityBudget(0.5, 0.99, 0.5, 0.1, 0.02, max_kl=0.05, min_cosine=0.99, min_sqnr=15)

# What a GPU may add, by the precision it computes in; a file's own budget holds where it is
# looser. In float32 a GPU sums in another order (an error of up to n/2^24 of a sum of n
# products: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1) and has
# an exponential and a division that are 3 + 2|x| and 2.5 units in the last place off (WGSL,
# section "Floating Point Accuracy"). LiteRT's WebGPU kernels on a software adapter were
# within 2e-6 of its CPU kernels on 1,000 MNIST images, and equal for int8; the limits leave
# room for deeper networks and for kernels (Winograd, tensor cores) that were not seen here.
# In float16 each sum and activation is rounded to 11 bits: 0.011 there, 0.08 for int8.
ON_GPU = {
    "float32": ParityBudget(
        0.1, 0.999, 5e-3, 1e-3, 5e-4, max_kl=5e-4, min_cosine=0.9995, min_sqnr=50
    ),
    "float16": ParityBudget(
        0.2, 0.998, 0.05, 0.02, 0.002, max_kl=0.005, min_cosine=0.998, min_sqnr=35
    ),
}
