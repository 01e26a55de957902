"""Keras models: safe loading, predictions, multiply-adds and layer names."""
