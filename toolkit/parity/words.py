"""The verdict in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.parity.statistics import unseen_drop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporters.budget import ParityBudget
    from runtime.modelfile.artifact import Artifact
    from toolkit.parity.metrics import Metrics

SIGNIFICANT = 0.05  # a difference with a higher McNemar p may be chance
_FEWEST = 10  # images below which an accuracy means nothing
_HARDLY_BETTER = 0.2  # share of the way from chance to perfect


def sentence(name: str, found: Metrics, budget: ParityBudget) -> str:
    """Return the verdict as a sentence: what differs, how sure Keras was, the accuracies.

    Args:
        name: of the format.
        found: the numbers.
        budget: for the margin below which Keras is unsure.

    Example:
        >>> import numpy as np
        >>> from exporters.budget import INTEGER
        >>> from toolkit.parity.metrics import measure
        >>> keras = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
        >>> found = measure(keras, keras, np.array([0, 1]), ("cat", "dog"), INTEGER.tie_margin)
        >>> sentence("tflite-int8", found, INTEGER)
        "tflite-int8 gives Keras's label on all 2 images; accuracy 100.00% like Keras"
    """
    return f"{name} {_labels(found, budget)}; {accuracies(found)}"


def reasons(found: Metrics, budget: ParityBudget) -> tuple[str, ...]:
    """Return what is beyond the limits, one text each; empty if nothing is.

    Example:
        >>> import numpy as np
        >>> from exporters.budget import EXACT
        >>> from toolkit.parity.metrics import measure
        >>> keras = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
        >>> found = measure(keras, keras[::-1], np.array([0, 1]), ("cat", "dog"), 0.1)
        >>> reasons(found, EXACT)[0]
        'other label than Keras on 2 of 2 images, near ties left aside (limit 1)'
    """
    rows = [drop(found, budget), _flips(found, budget)]
    for name, value, limit, low in (
        ("the largest difference of a probability", "max_abs_error", "max_abs_error", False),
        ("the mean difference of a probability", "mean_abs_error", "max_mean_error", False),
        ("the KL divergence (nats)", "kl_divergence", "max_kl", False),
        ("the cosine similarity", "cosine", "min_cosine", True),
        ("the signal to noise ratio (dB)", "sqnr_db", "min_sqnr", True),
    ):
        number, bound = getattr(found, value), getattr(budget, limit)
        if number < bound if low else number > bound:
            rows.append(f"{name} is {number:.3g} (limit {bound:g})")
    return tuple(row for row in rows if row)


def notes(found: Metrics, budget: ParityBudget) -> tuple[str, ...]:
    """Return a note on a drop that is beyond the limit, but may be chance.

    Example::

        notes = words.notes(entry.metrics, entry.budget)
    """
    points = -100 * found.accuracy_delta
    if points <= budget.max_drop or found.mcnemar_p < SIGNIFICANT:
        return ()
    note = (
        f"the accuracy is {points:.2f} points lower (limit {budget.max_drop:g}), which chance "
        f"alone may explain (McNemar p = {p_value(found.mcnemar_p)}); compare on more images"
    )
    return (note,)


def unseen(images: int, max_drops: Iterable[float]) -> tuple[str, ...]:
    """Return a note if the images are too few for some limits.

    Args:
        images: how many were compared.
        max_drops: limits, in points of accuracy.

    Example:
        >>> print(*unseen(1000, (0.1, 0.5, 1.0)))
        with 1,000 images a drop below 0.6 points cannot be seen (limit 0.1 to 0.5);
        compare on more
    """
    least = 100 * unseen_drop(images)
    missed = sorted({limit for limit in max_drops if limit < least})
    if not missed:
        return ()
    limits = f"limit {missed[0]:g}" + (f" to {missed[-1]:g}" if missed[1:] else "")
    note = (
        f"with {images:,} images a drop below {least:.2g} points cannot be seen ({limits}); "
        "compare on more"
    )
    return (note,)


def p_value(value: float) -> str:
    """Return a p-value as it is printed in papers.

    Example:
        >>> p_value(0.03125), p_value(1e-6)
        ('0.031', '< 0.0001')
    """
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}" if value < 0.95 else f"{value:.1f}"


def _labels(found: Metrics, budget: ParityBudget) -> str:
    count = len(found.flips)
    if count == 0:
        return f"gives Keras's label on all {found.images:,} images"
    unsure = count - len(found.real_flips)
    who = "it" if count == 1 else "all of them" if unsure == count else f"{unsure:,} of them"
    if unsure == 0:
        doubt = "Keras was sure" + (" of it" if count == 1 else " of all of them")
    else:
        doubt = f"Keras was unsure on {who} (margin < {budget.tie_margin:g})"
    return f"predicts another label on {count:,} of {found.images:,} images; {doubt}"


def accuracies(found: Metrics, whose: str = "Keras") -> str:
    """Return both accuracies as text, and whether chance explains the difference.

    Args:
        found: the numbers.
        whose: name of what the artifact is compared with; its accuracy comes first.

    Example::

        text = accuracies(found, "its teacher")  # accuracy 99.57% like its teacher
    """
    before, after = found.reference_accuracy, found.accuracy
    if round(before * found.images) == round(after * found.images):
        return f"accuracy {after:.2%} like {whose}"
    low, high = (100 * bound for bound in found.accuracy_delta_interval)
    change = (
        f"accuracy {100 * before:.2f} → {100 * after:.2f} % "
        f"({100 * found.accuracy_delta:+.2f} points, 95 % interval {low:+.2f} … {high:+.2f})"
    )
    chance = "a difference that chance alone would explain"
    if found.mcnemar_p < SIGNIFICANT:
        chance = "more than chance would explain"
    return f"{change}, {chance} (McNemar p = {p_value(found.mcnemar_p)})".replace("= <", "<")


def drop(found: Metrics, budget: ParityBudget) -> str | None:
    """Return by how much the accuracy fell, in words; None if within the limit or chance.

    Example::

        text = drop(found, budget)  # accuracy fell by 1.20 points (limit 0.5; McNemar p = 0.002)
    """
    points = -100 * found.accuracy_delta
    if points <= budget.max_drop or found.mcnemar_p >= SIGNIFICANT:
        return None
    return (
        f"accuracy fell by {points:.2f} points (limit {budget.max_drop:g}; McNemar p = "
        f"{p_value(found.mcnemar_p)})"
    ).replace("= <", "<")


def _flips(found: Metrics, budget: ParityBudget) -> str | None:
    flips, allowed = len(found.real_flips), budget.allowed_flips(found.images)
    if flips <= allowed:
        return None
    return (
        f"other label than Keras on {flips:,} of {found.images:,} images, near ties left aside "
        f"(limit {allowed:,})"
    )


def keras_warning(artifact: Artifact) -> str | None:
    """Return a warning if Keras itself is hardly better than chance, else None.

    The usual cause is preprocessing or labels that are not those of the training.

    Example::

        warning = keras_warning(artifacts.read("mnist-cnn.int8.tflite"))
    """
    accuracy = artifact.manifest.accuracy if artifact.manifest else None
    if artifact.manifest is None or accuracy is None:
        return None
    classes = len(artifact.manifest.labels)
    return chance_warning(accuracy.reference, classes, accuracy.images)


def chance_warning(accuracy: float, classes: int, images: int) -> str | None:
    """Return a warning if Keras's accuracy, 0…1, is hardly better than chance, else None.

    Example:
        >>> chance_warning(0.99, classes=10, images=1000) is None
        True
        >>> print(chance_warning(0.12, classes=10, images=1000))
        the Keras model itself is right on only 12.0% of the images: ...
    """
    chance = 1 / classes
    better = (accuracy - chance) / (1 - chance)  # 0 is chance, 1 is perfect
    if images < _FEWEST or better > _HARDLY_BETTER:
        return None
    return (
        f"the Keras model itself is right on only {accuracy:.1%} of the images: its "
        "preprocessing or labels are probably others (--scale, --mean, --std, --labels)"
    )
