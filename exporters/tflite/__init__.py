"""From a Keras model to a float32 TFLite graph, and from there to int8."""
