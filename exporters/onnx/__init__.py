"""From a Keras model to a float32 ONNX graph, and from there to int8."""
