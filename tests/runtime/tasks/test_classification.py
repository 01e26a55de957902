"""One answer: the label, ties, the top classes, JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runtime.tasks.classification import Prediction, softmax

LABELS = ("a", "b", "c", "d")


def prediction(*values):
    return Prediction.of(np.array(values, np.float32), LABELS, ("step",))


def test_the_most_probable_class_is_the_answer():
    found = prediction(0.1, 0.2, 0.6, 0.1)
    assert (found.label, found.index) == ("c", 2)
    assert found.confidence == pytest.approx(0.6)
    assert found.labels == LABELS
    assert found.steps == ("step",)


def test_of_equal_classes_the_first_wins_everywhere():
    found = prediction(0.0, 0.5, 0.5, 0.0)
    assert (found.label, found.index) == ("b", 1)
    assert [label for label, _ in found.top(4)] == ["b", "c", "a", "d"]


@pytest.mark.parametrize(("k", "count"), [(1, 1), (3, 3), (4, 4), (99, 4)])
def test_top_is_sorted_and_no_longer_than_the_classes(k, count):
    top = prediction(0.1, 0.2, 0.6, 0.1).top(k)
    assert len(top) == count
    assert [value for _, value in top] == sorted((v for _, v in top), reverse=True)


def test_json_holds_plain_values():
    record = json.loads(json.dumps(prediction(0.1, 0.25, 0.65, 0.0).to_json(2)))
    assert record == {
        "label": "c",
        "index": 2,
        "confidence": 0.65,
        "top": [{"label": "c", "confidence": 0.65}, {"label": "b", "confidence": 0.25}],
    }


def test_softmax_does_not_overflow():
    found = softmax(np.array([[1e4, 1e4, -1e4], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(found, [[0.5, 0.5, 0], [1 / 3] * 3], rtol=1e-6)
