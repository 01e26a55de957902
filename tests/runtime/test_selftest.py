"""The self-test on the device: the record, its strict reading, the replay and the verdict."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from runtime.errors import ArtifactError, BackendError, InputError
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.golden import to_strip
from runtime.selftest import Golden, judge, replay
from runtime.session import LoadOptions

SHAPE = (8, 8, 1)
LABELS = ("null", "eins", "größer")
NOISE = np.random.default_rng(3).integers(0, 256, (6, *SHAPE), np.uint8)


def encoded(png):
    return base64.b64encode(png).decode()


def saved(array, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return encoded(stream.getvalue())


def record(answers, images=NOISE, **changes):
    values = {
        "images": encoded(to_strip(images)),
        "answers": tuple(tuple(round(float(v), 6) for v in row) for row in answers),
        "truth": tuple(int(i) for i in answers.argmax(axis=1)),
        "labels": LABELS,
        "tolerance": 1e-4,
        "tie_margin": 1e-4,
        "dataset": "noise",
    }
    return Golden(**values | changes)


@pytest.fixture(scope="module")
def golden(tiny):
    with from_artifact(tiny) as classifier:
        return record(classifier.predict_batch(NOISE))


@pytest.fixture(scope="module")
def sealed(tiny, golden):
    return artifacts.restate(tiny, replace(tiny.manifest, golden=golden))


def changed(sealed, **changes):
    return artifacts.restate(sealed, replace(sealed.manifest, **changes))


def test_the_file_that_was_made_passes_with_all_that_was_found(sealed):
    with from_artifact(sealed) as classifier:
        report = replay(classifier)
    assert (report.verdict, report.reasons, report.images) == ("pass", (), 6)
    assert report.max_abs_error < 1e-5
    assert report.agreement == 1.0
    assert (report.backend, report.device) == ("onnxruntime", "cpu")
    assert 0 < report.seconds < 10
    assert report.to_json()["reasons"] == []


def test_the_verdict_is_logged(sealed, caplog):
    with caplog.at_level("DEBUG", "runtime"), from_artifact(sealed) as classifier:
        replay(classifier)
    assert f"{sealed.path}: 6 golden inputs on onnxruntime (cpu): pass" in caplog.messages


@pytest.mark.parametrize(
    "numbers", [{"scale": 1 / 128}, {"scale": 1.0}, {"mean": (0.5,), "std": (0.5,)}]
)
def test_other_preprocessing_numbers_fail(sealed, numbers):
    broken = changed(sealed, preprocess=replace(sealed.manifest.preprocess, **numbers))
    with from_artifact(broken) as classifier:
        report = replay(classifier)
    assert report.verdict == "fail"
    assert report.max_abs_error > 0.01
    assert "a probability is off by" in report.reasons[-1]
    assert "of 6 images" in report.reasons[-1]


def test_permuted_labels_fail_though_every_number_is_right(sealed):
    with from_artifact(changed(sealed, labels=("eins", "null", "größer"))) as classifier:
        report = replay(classifier)
    assert (report.verdict, report.agreement) == ("fail", 1.0)
    (reason,) = report.reasons
    assert "class 0 is 'eins' and has to be 'null'" in reason
    assert "größer" not in reason


def test_labels_given_at_loading_are_what_is_judged(sealed):
    options = LoadOptions(labels=("zero", "one", "bigger"))
    with from_artifact(sealed, options=options) as classifier:
        assert replay(classifier).verdict == "fail"


def test_an_engine_that_fails_or_answers_nan_is_a_verdict(sealed, monkeypatch):
    with from_artifact(sealed) as classifier:
        nan = np.full((6, 3), np.nan, np.float32)
        monkeypatch.setattr(classifier.backend, "run_images", lambda images, spec: nan)
        report = replay(classifier)
        assert (report.verdict, report.max_abs_error, report.agreement) == ("fail", None, None)
        assert "NaN" in report.reasons[0]

        def die(images, spec):
            raise BackendError("the engine died")

        monkeypatch.setattr(classifier.backend, "run_images", die)
        assert replay(classifier).reasons == ("the engine died",)


def test_a_file_without_golden_inputs_names_the_command_that_makes_them(tiny):
    with from_artifact(tiny) as classifier, pytest.raises(ArtifactError) as caught:
        replay(classifier)
    assert f"toolkit verify {tiny.path} --golden" in str(caught.value)


def test_a_file_of_another_tool_has_none(make_onnx, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(make_onnx())
    with from_artifact(artifacts.read(path)) as classifier, pytest.raises(ArtifactError) as caught:
        replay(classifier)
    assert "no manifest" in str(caught.value)


def test_flips_name_image_labels_and_margin_and_leave_near_ties_aside():
    expected = np.array([[0.6, 0.3, 0.1], [0.5, 0.45, 0.05], [0.0, 0.1, 0.9]], np.float32)
    golden = record(expected, NOISE[:3], tolerance=1.0, tie_margin=0.1)
    answers = expected[:, [1, 0, 2]]
    (reason,) = judge(golden, answers, LABELS)
    assert "on 1 of 3 images" in reason
    assert "image 1 is 'eins' and not 'null' (Keras's margin 0.30)" in reason


def test_only_what_is_beyond_the_tolerance_counts():
    expected = np.full((2, 3), 1 / 3, np.float32)
    golden = record(expected, NOISE[:2], tolerance=0.05, tie_margin=0.1)
    near, far = expected.copy(), expected.copy()
    near[0] += (0.04, -0.04, 0)
    far[1] += (0.06, -0.06, 0)
    assert judge(golden, near, LABELS) == ()
    (reason,) = judge(golden, far, LABELS)
    assert "image 2" in reason
    assert "0.05 is accepted; beyond that on 1 of 2 images" in reason


def test_long_lists_are_cut_and_the_rest_is_counted():
    expected = np.eye(3, dtype=np.float32)[[0] * 6]
    golden = record(expected, tolerance=1.0)
    (reason,) = judge(golden, np.roll(expected, 1, axis=1), LABELS)
    assert reason.endswith("and 3 more")


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back_bit_for_bit(channels, rng):
    images = rng.integers(0, 256, (5, 7, 9, channels), np.uint8)
    golden = record(np.full((5, 3), 1 / 3), images)
    assert np.array_equal(golden.pixels((7, 9, channels)), images)
    assert golden.summary == f"5 images of 1 of 3 classes, {len(golden.images) * 3 // 4:,} bytes"


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 7},
        {"dataset": None},
        {"labels": ("a", "b", 3)},
        {"labels": ("a", "b")},
        {"answers": ()},
        {"answers": ((0.1, 0.2, float("nan")),) * 6},
        {"answers": ((0.1, 0.2, 1.5),) * 6},
        {"answers": ((0.1, 0.2, True),) * 6},
        {"answers": ((0.1, 0.9),) * 6},
        {"answers": ((0.1, 0.2, 0.7),) * 5},
        {"truth": (0, 1, 2, 0, 1, 3)},
        {"truth": (0, 1, 2, 0, 1, -1)},
        {"truth": (0, 1, 2, 0, 1, 1.0)},
        {"truth": (0,)},
        {"tolerance": float("nan")},
        {"tolerance": -0.1},
        {"tolerance": 10**400},
        {"tie_margin": "0.1"},
    ],
)
def test_a_wrong_field_is_refused(changes):
    with pytest.raises(InputError, match=r"gold|text|true classes"):
        replace(record(np.full((6, 3), 1 / 3)), **changes)


STRIP = NOISE.reshape(48, 8)


@pytest.mark.parametrize(
    "images",
    [
        "",
        "not base64!",
        encoded(b"PNG? no"),
        saved(STRIP, "JPEG"),
        saved(STRIP[:40]),
        saved(STRIP.reshape(24, 16)),
        saved(np.stack([STRIP] * 3, axis=-1)),
        saved(STRIP > 127),
        saved(STRIP.astype(np.uint16) * 257),
        "A" * (5 << 20),
    ],
    ids=["empty", "text", "bytes", "jpeg", "short", "wide", "rgb", "1-bit", "16-bit", "huge"],
)
def test_images_that_are_none_of_the_model_are_refused_when_the_file_is_read(tiny, golden, images):
    broken = replace(golden, images=images)
    with pytest.raises(ArtifactError, match="manifest is broken"):
        type(tiny.manifest).loads(replace(tiny.manifest, golden=broken).dumps())
    with pytest.raises(ArtifactError, match="golden images"):
        broken.pixels(SHAPE)


def test_damaged_pixels_are_refused(golden):
    png = bytearray(base64.b64decode(golden.images))
    png[60] ^= 255
    for data in (bytes(png), bytes(png[:90])):
        with pytest.raises(ArtifactError, match="golden images cannot be used"):
            replace(golden, images=encoded(data)).pixels(SHAPE)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(golden, monkeypatch):
    """A header that promises 6 images of 20,000 x 20,000 in a few bytes."""
    head = struct.pack(">IIBBBBB", 20_000, 6 * 20_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + head
    png = (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )
    bomb = replace(golden, images=encoded(png + bytes(1000)))
    monkeypatch.setattr(
        "runtime.preprocessing.decode.decode", lambda source: pytest.fail("decoded")
    )
    with pytest.raises(InputError, match="cannot hold 6 golden images"):
        bomb.check_fits((20_000, 20_000, 1), 3)
    with pytest.raises(ArtifactError):
        bomb.pixels((20_000, 20_000, 1))


def test_a_new_manifest_leaves_the_payload_as_it_was(exports, tiny, sealed):
    assert artifacts.restate(sealed, tiny.manifest).data == tiny.data
    assert len(artifacts.restate(sealed, sealed.manifest).data) == len(sealed.data)
    for path in exports.values():
        file = artifacts.read(path)
        longer = artifacts.restate(file, replace(file.manifest, name="x" * 999))
        assert artifacts.restate(longer, file.manifest).data == file.data


def test_the_payload_is_found_without_reading_what_was_appended(tiny, make_onnx, exports):
    from runtime.modelfile.container_onnx import OnnxContainer
    from runtime.modelfile.container_tflite import TfliteContainer

    payload = make_onnx()
    assert OnnxContainer().payload(tiny.data) == payload
    assert OnnxContainer().payload(payload) == payload
    data = exports["tflite-int8"].read_bytes()
    bare = TfliteContainer().payload(data)
    assert data.startswith(bare)
    assert b"manifest.json" not in bare
    assert TfliteContainer().payload(bare) == bare


def test_a_tflite_file_with_files_of_another_tool_is_left_alone(exports, manifest):
    import zipfile

    from runtime.modelfile.container_tflite import TfliteContainer

    bare = TfliteContainer().payload(exports["tflite"].read_bytes())
    stream = io.BytesIO()
    stream.write(bare)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("vocabulary.txt", "a")
    sealed = TfliteContainer().embed(stream.getvalue(), manifest)
    with pytest.raises(ArtifactError, match=r"vocabulary\.txt"):
        TfliteContainer().payload(sealed)
