"""Accuracy, confusion matrix, precision, recall and F1, against counting by hand."""

import json

import numpy as np
import pytest

from toolkit.evaluation.metrics import evaluate

LABELS = ("a", "b", "c")
TRUTH = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 2, 2])


@pytest.fixture
def result():
    return evaluate(np.eye(3, dtype=np.float32)[ANSWERS], TRUTH, LABELS)


def test_accuracy_and_confusion_matrix(result):
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert result.images == 6


def test_precision_recall_and_f1_of_each_class(result):
    assert result.per_class["a"] == pytest.approx(
        {"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "support": 3}
    )
    assert result.per_class["b"] == pytest.approx(
        {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    )
    assert result.averages["macro"]["precision"] == pytest.approx(2 / 3)
    assert result.averages["weighted"]["recall"] == pytest.approx(4 / 6)


def test_a_class_that_does_not_occur_counts_zero():
    scores = np.eye(4, dtype=np.float32)[ANSWERS]
    result = evaluate(scores, TRUTH, (*LABELS, "never"))
    assert result.per_class["never"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert result.confusion.shape == (4, 4)


def test_the_record_is_json_with_the_documented_keys(result):
    record = json.loads(json.dumps(result.to_json()))
    assert {"accuracy", "per_class", "confusion_matrix"} <= set(record)
    assert record["confusion_matrix"][0] == [2, 1, 0]
