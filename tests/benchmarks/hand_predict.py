"""The shortest script that classifies one digit with LiteRT, for cold_start.py.

python tests/benchmarks/hand_predict.py MODEL IMAGE

It takes only what it is given: an int8 file and an image in MNIST's framing of its size.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
given, answered = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
pixels = np.asarray(Image.open(sys.argv[2]).convert("L"), np.float32)[None, :, :, None] / 255
scale, zero = given["quantization"]
steps = np.clip(np.rint(pixels / scale) + zero, -128, 127).astype(np.int8)
interpreter.set_tensor(given["index"], steps)
interpreter.invoke()
scale, zero = answered["quantization"]
scores = (interpreter.get_tensor(answered["index"])[0].astype(np.float32) - zero) * scale
print(scores.argmax(), scores.max())  # noqa: T201 - a script
