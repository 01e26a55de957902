"""The messages between two processes."""

import io

import numpy as np
import pytest

from runtime.errors import BackendError, DeviceUnavailableError, InputError
from runtime.workers.process import Channel, Failure


def test_a_message_comes_back_as_it_was_sent():
    pipe = io.BytesIO()
    batch = np.random.default_rng(0).random((2, 3, 4, 1)).astype(np.float32)
    sender = Channel(io.BytesIO(), pipe)
    sender.send({"a": [1, "ü"], "batch": batch[:, ::-1]})
    sender.send(None)
    pipe.seek(0)
    receiver = Channel(pipe, io.BytesIO())
    message = receiver.receive()
    assert message["a"] == [1, "ü"]
    np.testing.assert_array_equal(message["batch"], batch[:, ::-1])
    assert receiver.receive() is None
    with pytest.raises(EOFError):
        receiver.receive()


def test_half_a_message_is_no_message():
    pipe = io.BytesIO()
    Channel(io.BytesIO(), pipe).send(np.zeros(9, np.float32))
    with pytest.raises(Exception, match=r"truncated|Ran out of input"):
        Channel(io.BytesIO(pipe.getvalue()[:-9]), io.BytesIO()).receive()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (DeviceUnavailableError("no card"), DeviceUnavailableError, "no card"),
        (InputError("no image"), BackendError, "no image"),
        (OSError("gone"), BackendError, "OSError: gone"),
    ],
)
def test_a_failure_is_raised_at_the_other_end_with_its_text(error, kind, text):
    raised = Failure.of(error).error()
    assert type(raised) is kind
    assert str(raised) == text
