"""What ``toolkit recommend`` measures, with the real engines."""

import json
from dataclasses import replace

import pytest

from runtime.backends import BackendOptions
from runtime.errors import BackendError, DeviceUnavailableError, InputError
from runtime.modelfile import artifact as artifacts
from toolkit.engines import ALL
from toolkit.parity.verify import VerifyOptions
from toolkit.recommend import measure
from toolkit.recommend.choice import Limits
from toolkit.recommend.measure import RecommendOptions, recommend


def options(*paths, backend="auto", seconds=0.1, limit=60, **limits):
    return RecommendOptions(
        VerifyOptions(paths, backend, limit=limit), Limits(**limits), seconds=seconds
    )


@pytest.fixture(scope="module")
def everything(trained, exports):
    return recommend(trained, options(backend=ALL))


def test_all_exports_are_measured_in_all_engines(everything, exports):
    assert list(dict.fromkeys(entry.parity.format for entry in everything.entries)) == list(exports)
    assert everything.images == 60
    ran = [entry for entry in everything.entries if entry.parity.accuracy is not None]
    assert len(ran) >= len(exports)
    for entry in ran:
        assert 0.01 < entry.latency_ms < 500
        assert 20 < entry.peak_memory_mb < 250
        assert not entry.problem


def test_the_chosen_one_keeps_the_rule(everything):
    passing = [entry for entry in everything.entries if not entry.excluded]
    one = everything.chosen
    assert one in passing
    assert one.pareto
    fastest = min(entry.latency_ms for entry in passing)
    rivals = [entry for entry in passing if entry.latency_ms <= 1.1 * fastest]
    assert one.size == min(entry.size for entry in rivals)
    assert one.parity.format in everything.why


def test_the_very_slow_format_is_reported(everything):
    (slow,) = [
        note
        for note in everything.notes
        if "tflite-int16x8 on litert is very slow on this machine" in note
    ]
    assert "times the latency of float32" in slow


def test_what_an_engine_refuses_is_out_with_its_reason(everything):
    for entry in everything.entries:
        assert bool(entry.excluded) == (entry.parity.verdict != "pass")
        if entry.parity.verdict == "refused":
            assert entry.excluded[0].startswith("refused: ")
            assert entry.latency_ms is entry.peak_memory_mb is None


def test_the_front_is_that_of_the_record(everything):
    """Who checks the flags with the printed figures comes to the same front."""
    rows = [row for row in everything.to_json()["artifacts"] if not row["excluded"]]

    def costs(row):
        return (
            -row["accuracy"],
            -row["agreement"],
            row["latency_ms"],
            row["bytes"],
            row["peak_memory_mb"],
        )

    for row in rows:
        dominated = any(
            costs(other) != costs(row)
            and all(a <= b for a, b in zip(costs(other), costs(row), strict=True))
            for other in rows
        )
        assert row["pareto"] is not dominated


def test_the_record_is_plain_json(everything):
    record = json.loads(json.dumps(everything.to_json()))
    assert record["recommended"].keys() == {"format", "path", "backend"}
    assert {"cpu", "cores", "architecture"} <= record["machine"].keys()
    assert record["why"] == everything.why


def test_a_size_limit_leaves_the_small_ones(trained, exports):
    files = (exports["tflite"], exports["tflite-int8"])
    small = exports["tflite-int8"].stat().st_size
    found = recommend(trained, options(*files, max_size=small))
    assert found.chosen.parity.format == "tflite-int8"
    assert found.entries[0].latency_ms is not None  # excluded, but measured
    nothing = recommend(trained, options(*files, max_size=1000))
    assert nothing.chosen is None
    assert nothing.why.endswith(f"with {small:,} bytes: --max-size {small}")
    assert nothing.to_json()["recommended"] is None


@pytest.fixture(scope="module")
def unscaled(exports, tmp_path_factory):
    """The ONNX int8 file, whose manifest forgets to divide the pixels by 255."""
    import onnx

    file = artifacts.read(exports["onnx-int8"])
    model = onnx.load_model_from_string(file.data)
    del model.metadata_props[:]
    manifest = replace(file.manifest, preprocess=replace(file.manifest.preprocess, scale=1.0))
    path = tmp_path_factory.mktemp("unscaled") / "digits-cnn.int8.onnx"
    path.write_bytes(artifacts.pack(path, model.SerializeToString(), manifest).data)
    return path


def test_a_file_that_fails_the_gate_is_not_taken_though_it_is_the_fastest(
    trained, exports, unscaled
):
    found = recommend(trained, options(exports["onnx"], unscaled))
    assert found.chosen.parity.format == "onnx"
    wrong = found.entries[1]
    assert wrong.parity.verdict == "fail"
    assert wrong.excluded[0].startswith("fails the parity gate: ")
    assert wrong.latency_ms is not None
    alone = recommend(trained, options(unscaled))
    assert alone.chosen is None
    assert "toolkit export --format onnx-int8 --max-drop 0.1" in alone.why


def test_too_few_images_to_see_the_limit_are_reported(trained, exports):
    found = recommend(trained, options(exports["tflite"], limit=20, max_drop=0.01))
    assert any("20 images" in note and "cannot be seen" in note for note in found.notes)


def test_a_file_that_dies_in_a_fresh_process_is_out(trained, exports, monkeypatch):
    def dies(*arguments):
        raise BackendError("it does not run in a process of its own: ended with code -4")

    monkeypatch.setattr(measure, "peak_memory", dies)
    found = recommend(trained, options(exports["tflite"]))
    assert found.chosen is None
    assert "code -4" in found.entries[0].excluded[0]


def test_a_processor_that_others_use_too_is_reported(trained, exports, monkeypatch):
    monkeypatch.setattr(measure, "process_time", lambda: 0.0)  # it got no time at all
    found = recommend(trained, options(exports["tflite"]))
    assert any("other programs took 100% of the processor" in note for note in found.notes)


def test_the_device_is_passed_on(trained, exports):
    asked = options(exports["tflite"])
    gpu = replace(asked, verify=replace(asked.verify, engine=BackendOptions("gpu")))
    with pytest.raises(DeviceUnavailableError, match="no GPU support"):
        recommend(trained, gpu)


def test_without_files_it_says_how_to_make_some(trained, tmp_path):
    with pytest.raises(InputError, match="toolkit export --all"):
        recommend(replace(trained, exports=tmp_path), options())
