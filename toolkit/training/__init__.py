"""Training of a Keras model."""
