"""How manifest and seal travel in each kind of file; no bytes may break the walkers."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import struct
import time
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.errors import ArtifactError
from runtime.modelfile.artifact import CONTAINERS
from runtime.modelfile.container_onnx import OnnxContainer
from runtime.modelfile.container_tflite import TfliteContainer
from runtime.modelfile.manifest import Manifest

FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# An empty table with no field: the least that begins like a TFLite model.
BARE_TFLITE = bytes.fromhex("0c000000") + b"TFL3" + bytes.fromhex("0400040004000000")


def walk(container, data):
    """Do all that reading a file does; only ArtifactError may come out."""
    with contextlib.suppress(ArtifactError):
        container.intact(data)
        container.check(data)
        container.manifest(data)


def mutate(data: bytes, pick: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(pick.randint(1, 6)):
        where = pick.randrange(len(changed))
        match pick.randrange(4):
            case 0:
                changed[where] = pick.randrange(256)
            case 1:
                del changed[where : where + pick.randint(1, 64)]
            case 2:
                changed[where:where] = pick.randbytes(pick.randint(1, 16))
            case _:
                changed[where : where + 4] = pick.choice((b"\xff" * 4, b"\0" * 4, b"\x80" * 4))
        changed = changed or bytearray(b"x")
    return bytes(changed)


@pytest.mark.parametrize("container", [OnnxContainer(), TfliteContainer()], ids=lambda c: c.name)
@given(data=st.binary(max_size=400))
@FUZZ
def test_random_bytes_raise_nothing_but_artifact_error(container, data):
    walk(container, data)
    walk(container, b"\x1c\0\0\0TFL3" + data)
    walk(container, BARE_TFLITE + data)


@given(seed=st.integers(0, 2**32))
@FUZZ
def test_mutated_onnx_raises_nothing_but_artifact_error(tiny, seed):
    walk(OnnxContainer(), mutate(tiny.data, random.Random(seed)))


@given(seed=st.integers(0, 2**32))
@settings(FUZZ, max_examples=100)
def test_mutated_tflite_raises_nothing_but_artifact_error(exports, seed):
    pick = random.Random(seed)
    data = exports["tflite-dynamic"].read_bytes()
    # the tables of the graph stand at the end, after the weights
    walk(TfliteContainer(), data[:-30_000] + mutate(data[-30_000:], pick))
    walk(TfliteContainer(), mutate(data[:2_000], pick) + data[2_000:])


@given(seed=st.integers(0, 2**32))
@FUZZ
def test_a_mutated_archive_raises_nothing_but_artifact_error(manifest, seed):
    data = TfliteContainer().embed(BARE_TFLITE, manifest)
    tail = mutate(data[len(BARE_TFLITE) :], random.Random(seed))
    walk(TfliteContainer(), BARE_TFLITE + tail)


@pytest.mark.parametrize("container", [OnnxContainer(), TfliteContainer()], ids=lambda c: c.name)
def test_embedded_manifest_comes_back_and_the_seal_is_the_digest(container, manifest, make_onnx):
    payload = make_onnx() if container.name == "onnx" else BARE_TFLITE
    data = container.embed(payload, manifest)
    assert data.startswith(payload)
    assert Manifest.loads(container.manifest(data)) == manifest
    assert container.digest(data) == hashlib.sha256(data[:-64]).hexdigest()
    assert container.intact(data)
    assert not container.intact(data[:-1] + b"!")
    container.check(data)


def test_embedding_twice_gives_the_same_bytes(manifest):
    container = TfliteContainer()
    assert container.embed(BARE_TFLITE, manifest) == container.embed(BARE_TFLITE, manifest)


def test_unzip_lists_manifest_and_labels_of_a_tflite_file(manifest):
    data = TfliteContainer().embed(BARE_TFLITE, manifest)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["manifest.json", "labels.txt"]
        assert archive.read("labels.txt").decode().splitlines() == list(manifest.labels)
        assert archive.testzip() is None


def test_the_onnx_package_reads_the_metadata_and_the_same_weights(tiny, make_onnx, manifest):
    import onnx

    model = onnx.load_model_from_string(tiny.data)
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert Manifest.loads(found["manifest"].encode()) == manifest
    assert found["names"] == repr(dict(enumerate(manifest.labels)))
    assert tiny.data.endswith(found["sha256"].encode())
    plain = onnx.load_model_from_string(make_onnx())
    assert model.graph == plain.graph


def test_the_last_manifest_of_an_onnx_file_counts(tiny, manifest):
    other = replace(manifest, name="second")
    data = OnnxContainer().embed(tiny.data, other)
    assert Manifest.loads(OnnxContainer().manifest(data)).name == "second"


@pytest.mark.parametrize(
    ("method", "flags"), [(99, 0), (0, 1), (12, 0)], ids=["method", "encrypted", "bzip2"]
)
def test_an_archive_that_python_cannot_read_is_an_artifact_error(manifest, method, flags):
    data = bytearray(TfliteContainer().embed(BARE_TFLITE, manifest))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(signature) + offset
        data[start] |= flags
        if method:
            data[start + 2] = method
    with pytest.raises(ArtifactError, match="archive that holds the manifest is damaged"):
        TfliteContainer().manifest(bytes(data))


def test_a_zip_of_another_tool_is_no_manifest(exports):
    plain = exports["tflite-dynamic"].read_bytes()
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        start = archive.infolist()[0].header_offset
    stream = io.BytesIO()
    stream.write(plain[:start])
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("labelmap.txt", "a\nb\n")
    TfliteContainer().check(stream.getvalue())
    assert TfliteContainer().manifest(stream.getvalue()) is None


def test_weights_that_look_like_a_zip_header_do_not_confuse(make_onnx, manifest):
    payload = BARE_TFLITE + b"PK\x03\x04" + np.arange(40, dtype=np.uint8).tobytes()
    data = TfliteContainer().embed(payload, manifest)
    assert Manifest.loads(TfliteContainer().manifest(data)) == manifest


def test_each_kind_has_its_own_suffix_and_trailer():
    assert {kind.suffix for kind in CONTAINERS} == {".tflite", ".onnx"}
    assert len({kind.trailer for kind in CONTAINERS}) == len(CONTAINERS)


def test_a_number_longer_than_64_bits_is_refused(make_onnx):
    endless = b"\x10" + b"\xff" * 12 + b"\x01"  # a field of its own before the model
    with pytest.raises(ArtifactError, match="truncated, or not an ONNX model"):
        OnnxContainer().check(endless + make_onnx())


@pytest.mark.parametrize("name", ["tflite", "tflite-dynamic", "tflite-int8", "tflite-int16x8"])
def test_the_walker_knows_the_last_byte_of_a_tflite_model(stripped, name):
    data = stripped[name].read_bytes()
    TfliteContainer().check(data)
    for missing in (1, 2, 17, 300, 5000):
        with pytest.raises(ArtifactError, match="truncated"):
            TfliteContainer().check(data[:-missing])


def test_a_table_before_the_start_is_refused():
    model = b"\x0c\0\0\0TFL3" + bytes(4) + struct.pack("<i", 100) + bytes(500)
    with pytest.raises(ArtifactError, match="tables point past the end"):
        TfliteContainer().check(model)


def test_a_hostile_file_cannot_keep_the_walker_busy():
    # 30,000 entries that are all one subgraph, with 30,000 entries that are all one tensor
    count = 30_000

    def vector(target):
        """A vector at the end of the file so far, whose elements all point to ``target``."""
        start = len(model)
        model.extend(struct.pack("<I", count))
        model.extend(b"".join(struct.pack("<I", target(start + 4 + 4 * i)) for i in range(count)))

    length = 4 + 4 * count
    model = bytearray(struct.pack("<I4s", 20, b"TFL3"))
    model += struct.pack("<HHHHHH", 10, 8, 0, 0, 4, 0)  # one field: subgraphs
    model += struct.pack("<iI", 12, 4)
    subgraph = 28 + length + 8
    vector(lambda place: subgraph - place)
    model += struct.pack("<HHHH", 6, 8, 4, 0)  # one field: tensors
    model += struct.pack("<iI", 8, 4)
    tensor = len(model) + length + 4
    vector(lambda place: tensor - place)
    model += struct.pack("<HHi", 4, 4, 4)
    start = time.perf_counter()
    TfliteContainer().check(bytes(model))
    assert time.perf_counter() - start < 5
    with pytest.raises(ArtifactError, match="truncated"):
        TfliteContainer().check(bytes(model[:-1]))
