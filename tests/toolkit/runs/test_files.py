"""JSON files."""

import pytest

from toolkit.runs.files import read_json, write_json


def test_what_is_written_is_read_back(tmp_path):
    value = {"name": "Größe 5 µm", "numbers": [1, 2.5, None], "nested": {"a": True}}
    write_json(tmp_path / "sub" / "x.json", value)
    assert read_json(tmp_path / "sub" / "x.json") == value
    assert "Größe" in (tmp_path / "sub" / "x.json").read_text(encoding="utf-8")


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "x.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "x.json", object())
    assert read_json(tmp_path / "x.json") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
