"""Many images on all cores: the same predictions, in order, in bounded memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count as count_up
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.commands._predictions import Progress
from runtime.errors import BackendError, InputError
from runtime.modelfile import artifact as artifacts
from runtime.terminal.cli import Output
from runtime.workers.stream import BATCH


@pytest.fixture(autouse=True)
def threads_are_worth_it(monkeypatch):
    """The networks here are so small that they would be left to one thread."""
    monkeypatch.setattr("runtime.workers.workers._MIN_SECONDS", 0.0)


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "onnx", "onnx-int8"])
def test_any_number_of_threads_gives_the_same_rows(exports, digits, name):
    many = np.concatenate([digits.x_test[:150]] * 2)
    with runtime.load(exports[name]) as one, runtime.load(exports[name], threads=3) as three:
        wanted = one.predict_batch(many)
        np.testing.assert_array_equal(three.predict_batch(many), wanted)
        streamed = list(three.predict_stream(many))
        assert [one.index for one in streamed] == wanted.argmax(axis=1).tolist()


@pytest.mark.parametrize("count", [0, 1, 2, 3, BATCH, 2 * BATCH + 1, 300])
def test_every_image_gets_its_prediction_in_order(classifier, images, count):
    found = list(classifier.predict_stream(images[:count]))
    assert_predictions(found, classifier.predict_batch(images[:count]))


@pytest.mark.parametrize("count", [1, BATCH, 300])
def test_processes_predict_as_this_process_does(parallel, files, images, count, remote_tasks):
    found = list(parallel.predict_stream(files[:count]))
    assert_predictions(found, parallel.predict_batch(images[:count]))
    assert bool(remote_tasks) == (count > 1)


def test_arrays_and_pictures_are_predicted_by_threads(parallel, images, remote_tasks):
    pictures = [Image.fromarray(image) for image in images]
    for inputs in (images, pictures):
        assert_predictions(list(parallel.predict_stream(inputs)), parallel.predict_batch(images))
    assert not remote_tasks


def assert_predictions(found, rows):
    assert len(found) == len(rows)
    for one, row in zip(found, rows, strict=True):
        np.testing.assert_allclose(one.probabilities, row, rtol=1e-5)


def test_much_work_is_passed_to_worker_processes(classifier, files, monkeypatch, remote_tasks):
    monkeypatch.setattr("runtime.workers.stream._START_SECONDS", 0.0)
    found = classifier.predict_stream(files[n % 300] for n in count_up())
    deadline = time.monotonic() + 60
    while not remote_tasks and time.monotonic() < deadline:
        next(found)
    found.close()
    assert remote_tasks


def test_few_images_start_no_process(classifier, images):
    list(classifier.predict_stream(images[:64]))
    assert not classifier.workers.is_open


def test_streams_with_other_numbers_of_workers_do_not_disturb_each_other(classifier, images):
    first = classifier.predict_stream(images, workers=2)
    one = [next(first) for _ in range(100)]
    assert len(list(classifier.predict_stream(images, workers=3))) == 300
    assert len([*one, *first]) == 300


def test_a_closed_classifier_ends_its_streams_with_one_line(tiny, images, monkeypatch):
    monkeypatch.setattr("runtime.workers.stream._START_SECONDS", 0.0)
    with runtime.load(tiny.path, backend="onnxruntime", threads=2) as opened:
        found = opened.predict_stream(images[n % 300] for n in count_up())
        for _ in range(50):
            next(found)
    with pytest.raises(BackendError, match="was closed"):
        list(found)


@pytest.mark.parametrize("workers", [0, -1, 257])
def test_a_senseless_number_of_workers_is_refused(classifier, images, workers):
    with pytest.raises(InputError, match=f"1 to 256, not {workers}"):
        classifier.predict_stream(images, workers)


def test_one_image_or_one_batch_opens_no_more_engines(classifier, images):
    list(classifier.predict_stream(images[:1]))
    classifier.predict_batch(images[:BATCH])
    assert not classifier.workers.is_open
    classifier.predict_batch(images)
    assert len(classifier.workers._engines[2].workers) == 2
    assert not classifier.workers._processes


def test_a_very_small_network_is_left_to_one_thread(classifier, images, monkeypatch):
    monkeypatch.setattr("runtime.workers.workers._MIN_SECONDS", 10.0)
    assert_predictions(list(classifier.predict_stream(images)), classifier.predict_batch(images))
    assert not classifier.workers.is_open


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_images_are_reported_in_their_place(parallel, images, workers):
    mixed = list(images[:60])
    mixed[0] = "missing.png"
    mixed[7] = np.full((8, 8), 7.0)  # float, out of range
    mixed[30] = np.zeros((8, 8), np.int64)
    mixed[31] = images[31] / 255
    mixed[40] = Image.fromarray(images[40])
    mixed[59] = InputError("torn")
    found = list(parallel.predict_stream(mixed, workers))
    wrong = [n for n, one in enumerate(found) if isinstance(one, InputError)]
    assert wrong == [0, 7, 30, 59]
    assert str(found[59]) == "torn"
    rows = parallel.predict_batch(images[:60])
    for n in set(range(60)) - set(wrong):
        assert found[n].index == rows[n].argmax()


@pytest.mark.parametrize("workers", [1, 2])
def test_images_are_read_only_a_little_ahead(parallel, images, workers):
    read = 0

    def endless():
        nonlocal read
        while True:
            read += 1
            yield images[read % 300]

    found = parallel.predict_stream(endless(), workers)
    for predicted, _ in enumerate(islice(found, 3000), 1):
        assert read - predicted <= (2 * workers + 1) * BATCH
    found.close()


def test_an_engine_that_fails_in_a_worker_is_reported(classifier, images, monkeypatch):
    pool = classifier.workers.engines(2)

    def fail(*_):
        raise BackendError("the engine died")

    for engine in pool.workers:
        monkeypatch.setattr(engine, "run_images", fail)
    with pytest.raises(BackendError, match="the engine died"):
        classifier.predict_batch(images)


def test_a_gpu_gets_one_worker(classifier, monkeypatch):
    monkeypatch.setattr(classifier.backend, "device", "gpu")
    assert classifier.workers.engines(4) is None
    assert classifier.workers.processes(4) is None


def test_a_classifier_can_be_used_while_its_stream_runs(classifier, images):
    for image, one in zip(images, classifier.predict_stream(images), strict=True):
        assert classifier.predict(image).index == one.index


def test_the_command_predicts_many_in_order_on_all_cores(runtime_cli, exports, digits, tmp_path):
    np.save(tmp_path / "many.npy", digits.x_test[:150])
    model = exports["tflite-int8"]
    results = [
        runtime_cli("predict", model, tmp_path / "many.npy", "--json", *options)
        for options in ([], ["--threads", "1"], ["--threads", "3"])
    ]
    assert {result.exit_code for result in results} == {0}
    assert len({result.stdout for result in results}) == 1
    names = [json.loads(line)["file"] for line in results[0].stdout.splitlines()]
    assert names == [f"{tmp_path}/many.npy[{n}]" for n in range(150)]
    assert "150 images in" in results[0].stderr


def test_progress_is_one_line_that_is_written_over(monkeypatch, capsys):
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr("runtime.commands._predictions._SECONDS", 0.0)
    progress = Progress(Output())
    for _ in range(120):
        progress.step()
    progress.finish()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "\r120 images in " in shown.err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_a_signal_ends_many_files_and_all_processes(tiny, files, tmp_path, sent, code):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "runtime", "predict", tiny.path, *(files * 50), "--json"]
    with subprocess.Popen(
        [*map(str, command), "--threads", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(started := children.read_text().split()) < 2:
            assert process.stdout.readline()
        for _ in range(500):
            process.stdout.readline()
        process.send_signal(sent)
        begun = time.monotonic()
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, b"Traceback" in errors) == (code, False)
    assert time.monotonic() - begun < 10
    while any(Path(f"/proc/{child}/cmdline").exists() for child in started):
        assert time.monotonic() - begun < 20
        time.sleep(0.05)
    assert not list(temporary.glob("[!.]*"))  # ONNX Runtime leaves a .ses there


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_images(tiny, tmp_path):
    script = (
        "import sys, runtime\n"
        "from runtime.preprocessing.inputs import Inputs\n"
        "with runtime.load(sys.argv[1], threads=2) as c:\n"
        "    reads = (s.image for s in Inputs((sys.argv[2],)))\n"
        "    n = sum(1 for _ in c.predict_stream(reads))\n"
        "peak = [l for l in open('/proc/self/status') if l.startswith('VmHWM')][0]\n"
        "print(n, peak.split()[1])\n"
    )
    peaks = []
    for count in (1_000, 8_000):  # of 20 kB each: 20 MB and 160 MB
        path = tmp_path / f"{count}.npy"
        np.lib.format.open_memmap(path, "w+", np.uint8, (count, 80, 250)).flush()
        packed = artifacts.read(tiny.path)
        model = tmp_path / "plain.onnx"
        model.write_bytes(packed.data)
        command = [sys.executable, "-c", script, str(model), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        number, peak = map(int, done.stdout.split())
        assert number == count
        peaks.append(peak / 1000)
    assert peaks[1] - peaks[0] < 40  # MB
