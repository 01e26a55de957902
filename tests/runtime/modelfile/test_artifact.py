"""The model file: what is refused before any engine sees it, and with which words."""

from __future__ import annotations

import hashlib
import random
import shutil

import pytest

from runtime.backends import BackendOptions
from runtime.errors import ArtifactError, BackendError, InputError, IntegrityError
from runtime.modelfile import artifact as artifacts
from runtime.workers.opening import open_backend

KINDS = ["tflite", "tflite-int8", "tflite-int16x8", "onnx", "onnx-int8"]


def test_exported_files_are_sealed_and_say_what_they_are(exports):
    for name, path in exports.items():
        found = artifacts.read(path)
        assert found.integrity == artifacts.SEALED
        assert found.manifest.format == name
        assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert found.suffix == path.suffix


def test_a_text_path_and_an_upper_case_suffix_are_taken(tiny, tmp_path):
    path = tmp_path / "TINY.ONNX"
    shutil.copy(tiny.path, path)
    assert artifacts.read(str(path)).manifest == tiny.manifest


def test_what_was_read_and_verified_is_logged(tiny, caplog):
    with caplog.at_level("DEBUG", "runtime"):
        artifacts.read(tiny.path)
    size = len(tiny.data)
    assert caplog.messages == [
        f"{tiny.path}: onnx container, {size} bytes, sha256 verified, format {tiny.format}"
    ]


def test_pack_and_read_give_the_manifest_back(tiny):
    assert artifacts.read(tiny.path) == tiny


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("model.keras", b"PK", ArtifactError, "toolkit export"),
        ("model.h5", b"x", ArtifactError, "toolkit export"),
        ("model.pt", b"x", ArtifactError, "ends in .onnx or .tflite"),
        ("model", b"x", ArtifactError, "ends in"),
        ("model.tflite", b"", ArtifactError, "empty"),
        ("model.onnx", b"", ArtifactError, "empty"),
        ("model.tflite", None, InputError, "no such file"),
        ("model.onnx", b"not a model, just a text", ArtifactError, "not an ONNX model"),
        ("model.tflite", b"not a model, just a text", ArtifactError, "not a TFLite model"),
        ("model.tflite", b"\x1c\0\0\0TFL3", ArtifactError, "truncated"),
    ],
)
def test_a_file_that_is_no_model_file_is_refused(tmp_path, name, content, error, words):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        artifacts.read(path)
    assert str(path) in str(caught.value)


def test_a_folder_with_the_name_of_a_model_is_refused(tmp_path):
    folder = tmp_path / "model.tflite"
    folder.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        artifacts.read(folder)


def test_packing_into_a_file_of_unknown_kind_is_refused(tmp_path, manifest):
    with pytest.raises(ArtifactError, match=r"\.onnx or \.tflite"):
        artifacts.pack(tmp_path / "model.pb", b"x", manifest)


def test_a_digest_that_is_not_that_of_the_content_is_found(tiny, tmp_path):
    damaged = bytearray(tiny.data)
    damaged[len(damaged) // 2] ^= 1
    path = tmp_path / "tiny.onnx"
    path.write_bytes(damaged)
    with pytest.raises(IntegrityError, match="copy it again"):
        artifacts.read(path)


@pytest.mark.parametrize("name", KINDS)
def test_one_flipped_byte_anywhere_is_found(exports, tmp_path, name):
    source = exports[name]
    data = source.read_bytes()
    path = tmp_path / source.name
    pick = random.Random(name)
    anywhere = [pick.randrange(len(data)) for _ in range(40)]
    for position in [0, 4, *anywhere, *range(len(data) - 64, len(data))]:
        damaged = bytearray(data)
        damaged[position] ^= 1 << pick.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(IntegrityError, match="copy it again"):
            artifacts.read(path)


def test_a_damaged_byte_in_the_seal_itself_does_not_open_the_file(tiny, exports, tmp_path):
    for source in (tiny.path, exports["tflite-int8"]):
        data = source.read_bytes()
        path = tmp_path / source.name
        for back in range(64, 84):
            damaged = bytearray(data)
            damaged[-back - 1] ^= 0x40
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError, match="copy it again"):
                artifacts.read(path)


@pytest.mark.parametrize("name", KINDS)
def test_a_truncated_file_never_opens_with_its_manifest(exports, tmp_path, name):
    source = exports[name]
    data = source.read_bytes()
    path = tmp_path / source.name
    pick = random.Random(name)
    cuts = {1, 3, 4, 7, 8, 16, 64, len(data) // 2}
    cuts |= {pick.randrange(len(data)) for _ in range(60)}
    cuts |= {len(data) - n for n in (1, 2, 63, 64, 65, 71, 72, 73, 80, 200, 400, 900)}
    for cut in sorted(cuts):
        path.write_bytes(data[:cut])
        with pytest.raises(ArtifactError, match="copy it again"):
            artifacts.read(path)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_cut_inside_its_model_ends_in_an_error_not_in_a_crash(stripped, tmp_path, name):
    data = stripped[name].read_bytes()
    path = tmp_path / stripped[name].name
    pick = random.Random(name)
    for cut in [pick.randrange(len(data) - 30_000, len(data) - 8) for _ in range(40)]:
        path.write_bytes(data[:cut])
        with pytest.raises((ArtifactError, BackendError)):
            open_backend(artifacts.read(path), "auto", BackendOptions())


def test_a_manifest_without_a_seal_is_refused(tiny, tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny.data[: -len(b"\x72\x4c\x0a\x06sha256\x12\x40") - 64])
    with pytest.raises(IntegrityError, match="digest is missing or cut off"):
        artifacts.read(path)


def test_a_file_without_manifest_is_read_as_one_of_another_tool(stripped):
    for path in stripped.values():
        found = artifacts.read(path)
        assert (found.manifest, found.integrity) == (None, artifacts.UNSEALED)


def test_external_data_is_refused_with_the_way_out(make_onnx, tmp_path):
    import onnx

    path = tmp_path / "external.onnx"
    onnx.save(
        onnx.load_model_from_string(make_onnx()),
        path,
        save_as_external_data=True,
        size_threshold=0,
    )
    with pytest.raises(ArtifactError, match=r"'weights'.*external data.*onnx\.save"):
        artifacts.read(path)


def test_external_data_of_a_sealed_file_is_refused_too(make_onnx, manifest, tmp_path):
    import onnx

    path = tmp_path / "external.onnx"
    model = onnx.load_model_from_string(make_onnx())
    onnx.save(model, path, save_as_external_data=True, size_threshold=0)
    path.write_bytes(artifacts.pack(path, path.read_bytes(), manifest).data)
    with pytest.raises(ArtifactError, match="external data"):
        artifacts.read(path)
