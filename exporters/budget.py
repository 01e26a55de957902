"""How far a model file may be from the Keras model it was made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runtime.errors import InputError


@dataclass(frozen=True, slots=True)
class ParityBudget:
    """The limits of one format.

    Attributes:
        max_accuracy_drop: highest loss of accuracy, 0…1 (0.005 is half a point); a loss
            that chance alone would explain does not count.
        min_agreement: least share of images with the same label, 0…1; an image on
            which Keras itself is undecided does not count against it, and one image
            may always differ.
        max_abs_error: largest difference of a probability, 0…1.
        tie_margin: Keras is undecided where its two highest probabilities are
            closer than this, 0…1.
    """

    max_accuracy_drop: float
    min_agreement: float
    max_abs_error: float
    tie_margin: float

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a limit is outside 0…1.
        """
        limits = (self.max_accuracy_drop, self.min_agreement, self.max_abs_error, self.tie_margin)
        if not all(0.0 <= limit <= 1.0 for limit in limits):
            raise InputError("the limits of a parity budget lie in 0…1")

    def allowed_flips(self, images: int) -> int:
        """Return on how many of ``images`` the label may differ; one always may."""
        return max(1, math.floor((1 - self.min_agreement) * images + 1e-9))


# Chosen from what correct conversions showed on 10,000 MNIST test images (largest
# differences 1e-6 for float32, 7e-4 for float16, 0.02 for int16 activations with int8
# weights, 0.08 for int8), with room for models that are less sure of themselves.
EXACT = ParityBudget(0.0005, 0.9995, 1e-3, tie_margin=1e-4)
HALF = ParityBudget(0.001, 0.999, 0.02, tie_margin=1e-2)
INT16_ACTIVATIONS = ParityBudget(0.002, 0.998, 0.1, tie_margin=0.02)
INTEGER = ParityBudget(0.005, 0.99, 0.5, tie_margin=0.1)
