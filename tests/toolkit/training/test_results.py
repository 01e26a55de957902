"""What a run folder says of itself."""

import json
from pathlib import Path

from toolkit.datasets import DataOptions
from toolkit.runs.run import data_options
from toolkit.training.results import _csv, describe


def test_the_description_is_json_and_brings_the_data_back(digits):
    given = DataOptions(path=Path("some/where"), fit="pad")
    record = json.loads(json.dumps(describe({"epochs": 3}, given, digits)))
    assert record["options"] == {"epochs": 3}
    assert record["data"]["labels"] == list("0123456789")
    assert record["data"]["sha256"] == digits.checksum
    again = data_options(record["data"])
    assert again == DataOptions(path=Path("some/where").resolve(), fit="pad")


def test_a_dataset_found_without_a_name_is_recorded_by_its_name(digits):
    assert describe({}, DataOptions(), digits)["data"]["options"]["name"] == "digits"


def test_the_history_becomes_a_table():
    text = _csv([{"loss": 0.5, "accuracy": 0.25}, {"loss": 0.25, "accuracy": 0.75}])
    assert text == "epoch,loss,accuracy\n1,0.5,0.25\n2,0.25,0.75\n"
