"""The shortest script that reads a digit with full TensorFlow: what footprint.py compares with.

Dark ink on light paper is inverted and scaled to 28x28; runtime predict does more.
"""

import json
import sys
from time import perf_counter

import numpy as np
from PIL import Image, ImageOps

start = perf_counter()
import keras  # noqa: E402 - its import is part of what is measured

model = keras.models.load_model(sys.argv[1], compile=False)
loaded = perf_counter()
digit = ImageOps.invert(Image.open(sys.argv[2]).convert("L")).resize((28, 28))
pixels = np.asarray(digit, np.float32)[None, ..., None] / 255
begin = perf_counter()
# Called as a function: model.predict() traces a graph first, and takes longer for one image.
(answer,) = np.asarray(model(pixels, training=False))
done = perf_counter()
record = {
    "label": str(answer.argmax()),
    "confidence": round(float(answer.max()), 4),
    "load_ms": round(1000 * (loaded - start), 1),
    "first_ms": round(1000 * (done - begin), 1),
}
sys.stdout.write(json.dumps(record))
