"""What every engine must do with every file it takes; a new backend is tested without a change."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading

import numpy as np
import pytest

from exporters import formats
from exporters.budget import ON_GPU
from exporters.check import agreement
from runtime.backends import BackendOptions, for_suffix, registry
from runtime.errors import (
    BackendError,
    DeviceUnavailableError,
    InputError,
    MissingDependencyError,
)
from runtime.modelfile import artifact as artifacts
from runtime.workers.opening import open_backend

BACKENDS = registry()
FORMATS = formats.registry()
PAIRS = [
    pytest.param(backend, name, id=f"{backend.name}-{name}")
    for backend in BACKENDS.values()
    for name, exporter in FORMATS.items()
    if exporter.suffix in backend.suffixes
]
each_pair = pytest.mark.parametrize(("backend", "name"), PAIRS)
# The same on a GPU, where there is one; elsewhere it is skipped with the engine's own reason.
PLACES = [
    *(pytest.param(*pair.values, "cpu", id=pair.id) for pair in PAIRS),
    *(
        pytest.param(*pair.values, "gpu", id=f"{pair.id}-gpu", marks=pytest.mark.gpu)
        for pair in PAIRS
        if pair.values[0].uses_gpu
    ),
]
each_place = pytest.mark.parametrize(("backend", "name", "device"), PLACES)
each_backend = pytest.mark.parametrize("backend", BACKENDS.values(), ids=list(BACKENDS))
IMAGES = 64
FEW = {"tflite-int16x8": 8}  # reference kernels, 20 ms an image


def open_or_skip(backend, path, options=None):
    """Open a file; skip where the engine is missing, or is a second choice that refuses it."""
    try:
        return backend(artifacts.read(path), options)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    except DeviceUnavailableError:
        raise
    except BackendError as error:
        if backend is for_suffix(path.suffix)[0]:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def engines(exports):
    """A function that opens a file in an engine on a device, each only once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def engine(backend, name, device):
            try:
                opened = open_or_skip(backend, exports[name], BackendOptions(device))
            except (DeviceUnavailableError, pytest.skip.Exception) as error:
                return str(error)
            return stack.enter_context(opened)

        yield engine


@pytest.fixture
def opened(backend, name, device, engines):
    """The file open in the engine, on the device; the tests of a module share it."""
    engine = engines(backend, name, device)
    if isinstance(engine, str):
        pytest.skip(engine)
    return engine


@pytest.fixture
def batch(name, digits, digits_run):
    """Real digits in model units."""
    return digits_run.spec.apply(digits.x_test[: FEW.get(name, IMAGES)])


@pytest.fixture(scope="module")
def answers_of_keras(digits, trained):
    return trained.source.predict(trained.spec.apply(digits.x_test[:IMAGES]))


@pytest.fixture
def reference(batch, answers_of_keras):
    """What Keras answers to ``batch``."""
    return answers_of_keras[: len(batch)]


@each_backend
def test_a_backend_says_what_it_is(backend):
    assert backend.name == backend.name.lower()
    assert backend.suffixes
    assert all(suffix.startswith(".") for suffix in backend.suffixes)
    assert all([backend.extra, backend.package, backend.module])
    assert backend.installed() == (backend.version() is not None)


@each_place
def test_the_answers_are_those_of_keras(opened, name, device, batch, reference):
    answers = opened.run(batch)
    budget = FORMATS[name].budget
    budget = budget.or_looser(ON_GPU["float32"]) if device == "gpu" else budget
    found = agreement(reference, answers, budget.tie_margin)
    assert found.same_or_tie >= budget.min_agreement
    assert found.max_abs_error <= budget.max_abs_error
    sure = reference.max(axis=1) > 0.9
    assert sure.sum() > len(batch) / 2
    np.testing.assert_array_equal(answers[sure].argmax(axis=1), reference[sure].argmax(axis=1))


@each_place
def test_the_answers_are_probabilities(opened, batch):
    answers = opened.run(batch)
    assert answers.dtype == np.float32
    assert answers.shape == (len(batch), 10)
    assert answers.min() >= 0
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=0.03)


@each_place
def test_the_size_of_a_batch_changes_nothing(opened, batch):
    wanted = opened.run(batch)[:21]
    assert opened.run(batch[:0]).shape == (0, 10)
    for size in (1, 7):
        starts = range(0, len(wanted), size)
        parts = [opened.run(batch[start : start + size]) for start in starts]
        np.testing.assert_allclose(np.concatenate(parts)[: len(wanted)], wanted, atol=1e-5)


@each_place
def test_the_answers_do_not_depend_on_what_ran_before_nor_change_later(opened, batch):
    first = opened.run(batch[:3])
    kept = first.copy()
    opened.run(batch[3:9])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(opened.run(batch[:3]), kept)


@each_place
def test_the_batch_is_not_changed_and_need_not_be_contiguous(opened, batch):
    before = batch[:4].copy()
    wanted = opened.run(batch[:4])
    np.testing.assert_array_equal(batch[:4], before)
    np.testing.assert_allclose(opened.run(batch[3::-1])[::-1], wanted, atol=1e-5)
    read_only = before.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(opened.run(read_only), wanted)


@each_place
def test_other_shapes_and_types_are_refused(opened):
    wrong = [
        np.zeros((1, 28, 28, 1), dtype) for dtype in (np.float64, np.uint8, np.int8, np.float16)
    ]
    shapes = [
        (1, 1, 28, 28),
        (1, 28, 27, 1),
        (1, 28, 28, 3),
        (28, 28, 1),
        (1, 784),
        (0, 28, 28),
        (),
    ]
    wrong += [np.zeros(shape, np.float32) for shape in shapes]
    for batch in wrong:
        with pytest.raises(InputError, match=r"expects float32 \(n, 28, 28, 1\), got"):
            opened.run(batch)


@each_place
def test_the_tensors_are_those_of_the_manifest(opened, exports, name, device):
    manifest = artifacts.read(exports[name]).manifest
    assert opened.image_shape == (28, 28, 1)
    assert opened.input.dtype == manifest.input.dtype
    assert opened.output.shape[-1] == len(manifest.labels)
    assert opened.device == device
    assert bool(opened.accelerator) == (device == "gpu")
    assert opened.place.startswith(device)


@each_place
def test_values_beyond_the_range_saturate_and_do_not_wrap_around(opened):
    tensor = opened.input
    if tensor.scale is None:
        assert np.isfinite(opened.run(np.full((1, 28, 28, 1), 100, np.float32))).all()
        return
    limits = np.iinfo(tensor.dtype)
    for end, beyond in ((limits.min, -1e6), (limits.max, 1e6)):
        edge = np.float32((end - tensor.zero_point) * tensor.scale)
        wanted = opened.run(np.full((1, 28, 28, 1), edge, np.float32))
        found = opened.run(np.full((1, 28, 28, 1), beyond, np.float32))
        np.testing.assert_array_equal(found, wanted)


@each_pair
def test_close_twice_and_open_again(backend, name, exports, batch):
    engine = open_or_skip(backend, exports[name])
    wanted = engine.run(batch[:2])
    engine.close()
    engine.close()
    with open_or_skip(backend, exports[name]) as again:
        assert again.__enter__() is again
        np.testing.assert_array_equal(again.run(batch[:2]), wanted)


@each_pair
def test_two_threads_with_an_engine_each(backend, name, exports, batch):
    found = {}

    def work(key):
        with open_or_skip(backend, exports[name]) as engine:
            found[key] = engine.run(batch[:6])

    open_or_skip(backend, exports[name]).close()
    workers = [threading.Thread(target=work, args=(key,)) for key in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    np.testing.assert_array_equal(found[0], found[1])


@each_pair
def test_more_threads_give_the_same_labels(backend, name, exports, batch):
    with open_or_skip(backend, exports[name]) as one:
        wanted = one.run(batch[:8])
    with open_or_skip(backend, exports[name], BackendOptions(threads=2)) as two:
        np.testing.assert_allclose(two.run(batch[:8]), wanted, atol=1e-5)


@each_pair
def test_the_gpu_runs_it_or_is_refused_but_is_never_replaced_by_the_cpu(backend, name, exports):
    refusal = ""
    try:
        with backend(artifacts.read(exports[name]), BackendOptions(device="gpu")) as engine:
            assert engine.device == "gpu"
            assert engine.accelerator
    except MissingDependencyError as error:
        pytest.skip(str(error))
    except DeviceUnavailableError as error:
        refusal = str(error)
    if refusal:
        assert "no GPU support" in refusal
        assert refusal.endswith("or use --device cpu")
        assert "\n" not in refusal


@each_backend
def test_an_obstacle_on_the_way_to_the_gpu_is_what_is_told(backend, exports, monkeypatch):
    monkeypatch.setattr(backend, "gpu_obstacle", classmethod(lambda *_: "no card in the slot"))
    path = next(path for path in exports.values() if path.suffix in backend.suffixes)
    with pytest.raises(DeviceUnavailableError, match=r"here: no card in the slot; or use --dev"):
        backend(artifacts.read(path), BackendOptions(device="gpu"))


@pytest.mark.parametrize("name", FORMATS)
def test_the_gpu_is_refused_with_automatic_choice_too(name, exports, monkeypatch):
    for backend in for_suffix(exports[name].suffix):
        monkeypatch.setattr(backend, "gpu_obstacle", classmethod(lambda *_: "no card"))
    with pytest.raises(DeviceUnavailableError, match="no card") as raised:
        open_backend(artifacts.read(exports[name]), "auto", BackendOptions(device="gpu"))
    assert "tflite-runtime" not in str(raised.value)  # it never could


@pytest.mark.parametrize("name", FORMATS)
def test_automatic_choice_opens_every_format_in_the_preferred_engine(name, exports, monkeypatch):
    preferred = for_suffix(exports[name].suffix)[0]
    if not preferred.installed():
        pytest.skip(f"{preferred.package} is not installed")
    monkeypatch.setattr(preferred, "gpu_obstacle", classmethod(lambda *_: "no card"))
    options = BackendOptions(device="auto")
    with open_backend(artifacts.read(exports[name]), "auto", options) as engine:
        assert (engine.name, engine.device) == (preferred.name, "cpu")
        assert engine.fallback == "no card"


@each_backend
def test_files_of_other_engines_are_refused(backend, exports):
    for path in exports.values():
        if path.suffix not in backend.suffixes:
            with pytest.raises(BackendError, match=rf"backend {backend.name} runs .*, not"):
                backend(artifacts.read(path))


@each_backend
def test_a_missing_engine_is_told_with_the_command_that_installs_it(backend, exports, monkeypatch):
    monkeypatch.setitem(sys.modules, backend.module, None)
    assert not backend.installed()
    path = next(path for path in exports.values() if path.suffix in backend.suffixes)
    words = rf'{backend.package} is not installed.*pip install "edge-toolkit\[{backend.extra}\]"'
    with pytest.raises(MissingDependencyError, match=words):
        backend(artifacts.read(path))


@each_backend
def test_a_payload_that_is_no_model_is_a_backend_error(backend, exports, tmp_path):
    path = tmp_path / f"a{backend.suffixes[0]}"
    # what passes the check of the container and still is no model: an empty table, an empty graph
    empty = {".tflite": "0c00000054464c330400040004000000", ".onnx": "08083a00"}
    if path.suffix not in empty:
        pytest.skip(f"no such file is known for {path.suffix}")
    path.write_bytes(bytes.fromhex(empty[path.suffix]))
    with pytest.raises((BackendError, MissingDependencyError)):
        backend(artifacts.read(path))
