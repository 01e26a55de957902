"""The manifest: JSON in and out, strict about types, tolerant of keys of later versions."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import ArtifactError
from runtime.modelfile.golden import Golden, to_strip
from runtime.modelfile.manifest import Manifest

FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([10**400, -1, 0, "28", [], {}, [""], [[]]]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def with_golden(manifest):
    """The manifest with two golden inputs."""
    strip = to_strip(np.arange(128, dtype=np.uint8).reshape(2, 8, 8, 1))
    golden = Golden(
        images=base64.b64encode(strip).decode(),
        answers=((0.5, 0.25, 0.25), (0.0, 1.0, 0.0)),
        truth=(0, 1),
        labels=manifest.labels,
        tolerance=0.1,
        tie_margin=0.2,
        dataset="d test images",
    )
    return replace(manifest, golden=golden)


def places(value, path=()):
    """All places in nested JSON, as paths."""
    yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def replaced(record, path, value):
    changed = copy.deepcopy(record)
    if not path:
        return value
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def without(record, path):
    changed = copy.deepcopy(record)
    place = changed
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return changed


def loads(record):
    return Manifest.loads(json.dumps(record).encode())


def test_what_is_dumped_is_loaded_again(manifest):
    assert Manifest.loads(manifest.dumps()) == manifest


def test_golden_inputs_are_loaded_again_and_older_files_have_none(manifest, with_golden):
    assert Manifest.loads(with_golden.dumps()) == with_golden
    record = json.loads(manifest.dumps())
    del record["golden"]
    assert loads(record) == manifest
    assert loads(record).golden is None


def test_dumps_is_utf8_json_that_others_read(manifest):
    record = json.loads(manifest.dumps().decode("utf-8"))
    assert record["labels"] == ["null", "eins", "größer"]
    assert record["schema_version"] == 1
    assert record["preprocess"]["mean"] == [0.0]
    assert "größer".encode() in manifest.dumps()


def test_exported_manifests_state_tensors_calibration_and_accuracy(exports):
    from runtime.modelfile import artifact as artifacts

    for name, path in exports.items():
        found = artifacts.read(path).manifest
        assert found.labels == tuple("0123456789")
        assert found.accuracy.agreement >= 0.99
        assert found.created.dataset == "digits"
        assert len(found.created.source_sha256) == 64
        assert bool(found.quantization.calibration) == ("int" in name)
        assert found.requirements.operators
        assert found.requirements.engines


@pytest.mark.parametrize("place", ["", "input", "quantization", "requirements", "created"])
def test_keys_of_a_later_version_are_ignored(manifest, place):
    record = json.loads(manifest.dumps())
    (record[place] if place else record)["from_the_future"] = [1]
    assert loads(record) == manifest


def test_keys_of_a_later_golden_record_are_ignored(with_golden):
    record = json.loads(with_golden.dumps())
    record["golden"]["from_the_future"] = [1]
    assert loads(record) == with_golden


@pytest.mark.parametrize(
    "key", ["images", "answers", "truth", "labels", "tolerance", "tie_margin", "dataset"]
)
def test_a_golden_record_without_a_field_is_refused(with_golden, key):
    record = json.loads(with_golden.dumps())
    del record["golden"][key]
    with pytest.raises(ArtifactError, match=f"manifest is broken.*{key}"):
        loads(record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), []),
        ((), {}),
        ((), "x"),
        (("images",), ""),
        (("images",), None),
        (("answers", 0, 0), float("nan")),
        (("answers", 0), [0.5, 0.5]),
        (("answers",), [[0.5, 0.25, 0.25]] * 3),
        (("answers",), 3),
        (("truth", 0), 3),
        (("labels",), ["a", "b"]),
        (("tolerance",), 10**400),
        (("tolerance",), None),
    ],
)
def test_a_wrong_golden_record_is_refused(with_golden, path, value):
    with pytest.raises(ArtifactError, match="manifest is broken"):
        loads(replaced(json.loads(with_golden.dumps()), ("golden", *path), value))


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_schema_version_is_refused_with_the_way_out(manifest, version):
    record = json.loads(manifest.dumps()) | {"schema_version": version}
    with pytest.raises(ArtifactError, match=r"schema version .* pip install -U edge-toolkit"):
        loads(record)


@pytest.mark.parametrize(
    "key",
    [
        "schema_version",
        "name",
        "format",
        "task",
        "input",
        "output",
        "labels",
        "preprocess",
        "quantization",
        "requirements",
        "created",
    ],
)
def test_a_missing_field_is_named(manifest, key):
    record = json.loads(manifest.dumps())
    del record[key]
    with pytest.raises(ArtifactError, match=f"manifest is broken.*{key}"):
        loads(record)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("labels",), ["a", "b"]),
        (("labels",), []),
        (("labels",), ["a", 1, "c"]),
        (("name",), 7),
        (("output", "shape"), []),
        (("input", "shape"), ["x"]),
        (("input", "shape"), [float("inf")]),
        (("preprocess", "fit"), "crop"),
        (("preprocess", "std"), [0]),
        (("preprocess", "scale"), 10**400),
        (("preprocess", "channels"), 2),
        (("accuracy",), {"reference": 1}),
        (("quantization",), None),
    ],
)
def test_a_wrong_field_is_refused(manifest, path, value):
    with pytest.raises(ArtifactError, match="manifest is broken"):
        loads(replaced(json.loads(manifest.dumps()), path, value))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema_version": 1}']
)
def test_what_is_no_manifest_is_refused(text):
    with pytest.raises(ArtifactError, match="manifest"):
        Manifest.loads(text)


@given(seed=st.integers(0, 2**32), value=JSON_VALUES)
@FUZZ
def test_any_value_at_any_place_raises_nothing_but_artifact_error(with_golden, seed, value):
    record = json.loads(with_golden.dumps())
    pick = random.Random(seed)
    path = pick.choice(list(places(record)))
    changed = without(record, path) if path and pick.random() < 0.3 else None
    try:
        found = loads(changed or replaced(record, path, value))
    except ArtifactError:
        return
    assert Manifest.loads(found.dumps())


@given(seed=st.integers(0, 2**32))
@FUZZ
def test_mutated_text_raises_nothing_but_artifact_error(with_golden, seed):
    pick = random.Random(seed)
    text = bytearray(with_golden.dumps())
    for _ in range(pick.randint(1, 5)):
        text[pick.randrange(len(text))] = pick.randrange(256)
    try:
        Manifest.loads(bytes(text[: pick.choice((None, pick.randrange(len(text))))]))
    except ArtifactError as error:
        assert "manifest" in str(error)  # noqa: PT017 - success is fine too


@pytest.mark.parametrize("count", [None, 0, 32_340_992])
def test_multiply_adds_survive(manifest, count):
    stated = replace(manifest, multiply_adds=count)
    assert Manifest.loads(stated.dumps()) == stated


def test_a_manifest_of_an_older_release_has_no_multiply_adds(manifest):
    values = manifest.to_json()
    del values["multiply_adds"]
    assert Manifest.loads(json.dumps(values).encode()).multiply_adds is None


@pytest.mark.parametrize("count", [-1, 1.5, "32", True, [1]])
def test_multiply_adds_that_are_no_number_are_refused(manifest, count):
    values = manifest.to_json() | {"multiply_adds": count}
    with pytest.raises(ArtifactError, match="multiply-adds"):
        Manifest.loads(json.dumps(values).encode())
