"""02: what runs on the device: numpy, Pillow, one engine and one model file.

    python 02_predict_on_the_device.py MODEL IMAGE [IMAGE ...]

Labels and preprocessing are stored in the file: this program need not know the training.
"""

import sys
from pathlib import Path

import runtime


def main(model: str, images: list[str]) -> None:
    """Print the label and the confidence of each image."""
    with runtime.load(model) as classifier:
        for image, result in zip(images, classifier.predict_stream(images), strict=True):
            if isinstance(result, runtime.InputError):
                print(f"{Path(image).name}: {result}")
            else:
                print(f"{Path(image).name}: {result.label} ({result.confidence:.1%})")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
