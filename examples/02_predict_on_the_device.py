"""02: what runs on the device: numpy, Pillow, one engine and one model file.

    python 02_predict_on_the_device.py MODEL IMAGE [IMAGE ...]

Labels and preprocessing travel in the file, so nothing here knows how the network was trained.
"""

import sys
from pathlib import Path

import runtime


def main(model: str, images: list[str]) -> None:
    """Print the answer to each image, and how sure it is."""
    with runtime.load(model) as classifier:
        for image, answer in zip(images, classifier.predict_stream(images), strict=True):
            if isinstance(answer, runtime.InputError):
                print(f"{Path(image).name}: {answer}")
            else:
                print(f"{Path(image).name}: {answer.label} ({answer.confidence:.1%})")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
