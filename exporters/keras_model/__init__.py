"""The Keras model that is exported: loaded safely, counted, its layers named."""
