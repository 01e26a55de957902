"""The export side: a Keras model goes in, a self-describing model file comes out."""
