"""Worker processes that predict image files for a classifier."""

from __future__ import annotations

import io
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.errors import BackendError, InputError
from runtime.workers.process import Channel


def test_processes_have_the_labels_and_the_preprocessing_of_the_options(
    exports, digits, tmp_path, remote_tasks, wait_until_ready
):
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    options = runtime.LoadOptions(names, lambda spec: replace(spec, polarity="invert"))
    many = [tmp_path / f"{number}.png" for number in range(100)]
    for path, one in zip(many, digits.x_test, strict=False):
        Image.fromarray(255 - one.squeeze()).save(path)
    with runtime.load(exports["tflite-int8"], threads=2, options=options) as opened:
        alone = list(opened.predict_stream(many, workers=1))
        wait_until_ready(opened)
        together = list(opened.predict_stream(many))
    assert remote_tasks
    assert [one.label for one in together] == [one.label for one in alone]
    assert {one.label for one in together} <= set(names)
    assert [one.steps for one in together] == [one.steps for one in alone]


def test_a_process_that_dies_is_reported_and_replaced(parallel, files, wait_until_ready):
    found = parallel.predict_stream(files)
    for _ in range(70):
        next(found)
    for one in parallel.workers.processes(2).workers:
        one._process.kill()
    with pytest.raises(BackendError, match=r"ended with code -9: out of memory\?; --threads 1"):
        list(found)
    wait_until_ready(parallel)
    assert len(list(parallel.predict_stream(files))) == 300


def test_an_engine_that_fails_in_a_process_is_reported_and_goes_on(parallel, files):
    (worker, _) = parallel.workers.processes(2).workers
    assert len(worker.predict(files[:3]).notes) == 3
    worker.send(("no such folder", files))
    with pytest.raises(BackendError, match="FileNotFoundError"):
        worker.receive()
    assert len(worker.predict(files[:3]).notes) == 3


def test_a_process_that_cannot_open_the_file_says_why(classifier, images, monkeypatch):
    monkeypatch.setattr(classifier.backend, "name", "litert")  # refuses .onnx
    pool = classifier.workers.processes(2)
    with pytest.raises(BackendError, match="litert"):
        pool.workers[0].predict(images[:1])


def test_relative_names_are_those_of_the_folder_where_the_user_is(parallel, files, monkeypatch):
    for folder in (files[0].parent, files[0].parent / "deeper"):
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        found = list(parallel.predict_stream(["000.png"] * 100))
        good = [not isinstance(one, InputError) for one in found]
        assert good == [folder == files[0].parent] * 100


def test_what_is_no_image_is_reported_in_its_place_by_processes(parallel, files, remote_tasks):
    found = list(parallel.predict_stream([*files[:50], lambda: None, *files[50:100]]))
    assert remote_tasks
    assert [n for n, one in enumerate(found) if isinstance(one, InputError)] == [50]
    assert str(found[50]) == "expected a path, bytes, Pillow image or array, got function"


def test_processes_end_with_their_classifier(tiny):
    with runtime.load(tiny.path, backend="onnxruntime") as opened:
        processes = [one._process for one in opened.workers.processes(3).workers]
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 3


def test_a_system_without_processes_is_reported(classifier, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with pytest.raises(BackendError, match=r"temporarily unavailable.*--threads 1"):
        classifier.workers.processes(2)


@pytest.fixture
def python_begins_with(tmp_path, monkeypatch):
    """Let each Python that is started run some code first."""

    def begin(code):
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return begin


def test_what_python_prints_when_it_starts_is_no_message(
    classifier, files, python_begins_with, wait_until_ready
):
    python_begins_with("print('hello')\nprint('no newline', end='')")
    wait_until_ready(classifier)
    assert len(list(classifier.predict_stream(files))) == 300


def test_one_that_prints_without_end_is_reported(classifier, files, python_begins_with):
    python_begins_with("while True: print('x' * 999)")
    (worker, _) = classifier.workers.processes(2).workers
    with pytest.raises(BackendError, match="prints without end; --threads 1"):
        worker.predict(files[:1])


@pytest.mark.parametrize("noise", [b"noise", b"cos\nno_such\n.", b"(lp0\n0."])
def test_an_invalid_message_is_reported(parallel, files, noise):
    (worker, _) = parallel.workers.processes(2).workers
    worker.predict(files[:1])
    worker._channel = Channel(io.BytesIO(noise), worker._process.stdin)
    with pytest.raises(BackendError, match="replied with an invalid message; --threads 1"):
        worker.predict(files[:1])
    assert worker._process.wait(60) == -signal.SIGKILL


def test_one_that_dies_before_it_has_started_is_not_started_for_ever(
    classifier, python_begins_with
):
    python_begins_with("import os; os._exit(7)")
    pool = classifier.workers.processes(2)
    for one in pool.workers:
        one._process.wait(60)
    with pytest.raises(BackendError, match="ended with code 7; --threads 1"):
        classifier.workers.processes(2)


def test_a_removed_folder_is_no_reason_to_stop(parallel, files, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    found = list(parallel.predict_stream(files))
    assert not any(isinstance(one, InputError) for one in found)


def test_an_array_of_objects_is_reported_in_its_place(parallel, files, remote_tasks):
    odd = np.array([[object()]], dtype=object)
    found = list(parallel.predict_stream([*files[:50], odd, *files[50:100]]))
    assert remote_tasks
    assert [n for n, one in enumerate(found) if isinstance(one, InputError)] == [50]


def test_a_closed_classifier_waits_for_no_companion(tiny, files, tmp_path, wait_until_ready):
    os.mkfifo(tmp_path / "never.png")  # opening it blocks
    with runtime.load(tiny.path, backend="onnxruntime", threads=2) as opened:
        wait_until_ready(opened)
        found = opened.predict_stream([*files[:200], tmp_path / "never.png", *files])
        next(found)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
