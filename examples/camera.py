"""Classify what a Raspberry Pi camera sees, frame by frame, until Ctrl-C.

    python examples/camera.py --model mnist-cnn.int8.tflite
    python examples/camera.py --model mnist-cnn.int8.tflite --frames my-images/

The first line needs a Pi camera and picamera2, which comes with Raspberry Pi OS. The second
replays images through the same loop, on any machine. How a frame is cropped, scaled
and converted is stored in the model file: the loop passes whole frames.

As a service (examples/edge-classifier.service) it reports to systemd after each frame, so
that a camera that has stopped delivering gets the service restarted.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
from collections import deque
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
import numpy as np

import runtime
from runtime.preprocessing.inputs import Inputs
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SIZE = (640, 480)
# libcamera names formats from the high byte down: what it calls BGR888 is R, G, B in
# memory, which is what models are trained on. "RGB888" would swap red and blue.
FORMAT = "BGR888"
WINDOW = 30  # frames that the shown rate and median are of: a service runs for months
OR_REPLAY = "(or replay a folder of images: --frames FOLDER)"
NO_CAMERA = (
    "no camera found: check its cable, then list the cameras with: "
    f"rpicam-hello --list-cameras {OR_REPLAY}"
)
NO_PICAMERA2 = (
    "picamera2 is not there for this Python: sudo apt install python3-picamera2, and make the "
    f"environment with: python3 -m venv --system-site-packages {OR_REPLAY}"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture to classify.

    Attributes:
        file: where it comes from; None for the camera.
        pixels: uint8 (height, width, 3) in the order R, G, B, or (height, width) for grey.
    """

    file: str | None
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is printed for one frame.

    Attributes:
        frame: its number, from 1.
        file: the image file that it came from; None for the camera.
        label: the predicted class; None if the confidence is below the limit, or the
            frame cannot be used.
        confidence: probability of the best class, 0…1; None if there is no prediction.
        frames_per_second: over the last frames, everything included; None for the first.
        classify_ms: preprocessing and inference of this frame.
        problem: why there is no prediction.
    """

    frame: int
    file: str | None
    label: str | None
    confidence: float | None
    frames_per_second: float | None
    classify_ms: float
    problem: str | None

    def text(self) -> str:
        """Return the line as text."""
        rate = "-" if self.frames_per_second is None else f"{self.frames_per_second:.1f}"
        sure = "" if self.confidence is None else f"{self.confidence:.1%}"
        what = self.label or self.problem or "not sure"
        return f"{rate:>6} frames/s {self.classify_ms:7.1f} ms {sure:>7}  {what}"


class Loop:
    """Classifies frames; prints a line if the label changes, and at regular intervals."""

    def __init__(
        self, classifier: runtime.Classifier, least: float, every: float, *, as_json: bool
    ) -> None:
        """Take the model and the options of the output.

        Args:
            classifier: an open model file.
            least: predictions of a lower confidence have no label.
            every: seconds after which an unchanged label is printed again.
            as_json: print JSON lines instead of text.
        """
        self._classifier, self._least = classifier, least
        self._every, self._as_json = every, as_json
        self._ends: deque[float] = deque(maxlen=WINDOW)
        self._milliseconds: deque[float] = deque(maxlen=WINDOW)
        self._printed: tuple[str | None, float] = ("", 0.0)

    def run(self, frames: Iterator[Frame]) -> None:
        """Classify until the frames end or the program is stopped."""
        number = 0
        try:
            for number, frame in enumerate(frames, start=1):
                self._show(self._see(number, frame))
                notify("READY=1\nWATCHDOG=1" if number == 1 else "WATCHDOG=1")
        finally:
            if self._milliseconds:
                middle = statistics.median(self._milliseconds)
                last = f"median of the last {len(self._milliseconds)}"
                click.echo(f"{number} frames, {middle:.1f} ms to classify one ({last})", err=True)

    def _see(self, number: int, frame: Frame) -> Seen:
        start = perf_counter()
        label, confidence, problem = self._predict(frame)
        end = perf_counter()
        self._ends.append(end)
        self._milliseconds.append(1000 * (end - start))
        took = round(self._milliseconds[-1], 2)
        return Seen(number, frame.file, label, confidence, self._rate(), took, problem)

    def _predict(self, frame: Frame) -> tuple[str | None, float | None, str | None]:
        try:
            prediction = self._classifier.predict(frame.pixels)
        except runtime.InputError as error:  # no digit on a bare wall: wait for the next frame
            return None, None, str(error)
        label = prediction.label if prediction.confidence >= self._least else None
        return label, round(prediction.confidence, 6), None

    def _rate(self) -> float | None:
        if len(self._ends) < 2:
            return None
        return round((len(self._ends) - 1) / (self._ends[-1] - self._ends[0]), 1)

    def _show(self, seen: Seen) -> None:
        label, when = self._printed
        if seen.label == label and self._ends[-1] - when < self._every:
            return
        self._printed = (seen.label, self._ends[-1])
        click.echo(json.dumps(asdict(seen), ensure_ascii=False) if self._as_json else seen.text())


def replay(name: str) -> Iterator[Frame]:
    """Yield the images of a folder, glob or ``.npy`` array, as arrays like the camera's.

    Raises:
        InputError: there is no image, or one cannot be read.
    """
    for source in Inputs((name,)):
        yield Frame(source.name, np.asarray(source.read()))


def watch() -> Iterator[Frame]:
    """Yield frames of the Pi's first camera; closing the generator closes the camera.

    Raises:
        DeviceUnavailableError: there is no picamera2, or no camera.
    """
    camera = _open_camera()
    try:
        main = {"format": FORMAT, "size": SIZE}
        camera.configure(camera.create_video_configuration(main=main))
        camera.start()
        while True:
            yield Frame(None, camera.capture_array("main"))
    finally:
        camera.close()


def _open_camera() -> Any:
    try:
        from picamera2 import Picamera2
    except ModuleNotFoundError as error:  # it, or the libcamera that apt brings with it
        raise runtime.DeviceUnavailableError(NO_PICAMERA2) from error
    except (ImportError, ValueError) as error:
        # Its simplejpeg was built for the numpy of the system: on bookworm, numpy 1.
        raise runtime.DeviceUnavailableError(
            f"picamera2 does not start with numpy {np.__version__} ({error}); on bookworm type: "
            'pip install "numpy<2"'
        ) from error
    try:
        return Picamera2()
    except IndexError as error:  # what picamera2 raises if its list of cameras is empty
        raise runtime.DeviceUnavailableError(NO_CAMERA) from error
    except RuntimeError as error:
        raise runtime.DeviceUnavailableError(
            f"the camera does not open ({error}); end the program that uses it {OR_REPLAY}"
        ) from error


def notify(state: str) -> None:
    """Report the state of the service to systemd, by the protocol of sd_notify(3).

    Does nothing if there is no service manager.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(state.encode(), address.replace("@", "\0", 1))


@click.command()
@click.option("--model", required=True, type=click.Path(path_type=Path), help="A model file.")
@click.option("--frames", help="Replay a folder of images instead of the camera.")
@click.option("--backend", default="auto", show_default=True, help="Engine, or auto.")
@click.option("--threads", type=int, default=1, show_default=True, help="Threads.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Below it, no label is printed.",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many frames.")
@click.option(
    "--every",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds until an unchanged label is printed again; 0 prints each frame.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def command(
    model: Path,
    frames: str | None,
    backend: str,
    threads: int,
    min_confidence: float,
    count: int | None,
    every: float,
    as_json: bool,
) -> None:
    """Classify what the camera of a Raspberry Pi sees, until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # systemd's stop is a Ctrl-C
    try:
        with silenced():
            classifier = runtime.load(model, backend=backend, threads=threads)
        with classifier, closing(replay(frames) if frames else watch()) as source:
            if not as_json:
                engine = classifier.backend
                click.echo(f"{model.name} on {engine.name} ({engine.device})", err=True)
            loop = Loop(classifier, min_confidence, every, as_json=as_json)
            loop.run(islice(source, count))
    except KeyboardInterrupt:  # the usual end of a program that watches
        notify("STOPPING=1")
    except runtime.EdgeError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    command()
