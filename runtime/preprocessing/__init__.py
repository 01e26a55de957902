"""Preprocessing: from an image file or an array to model input."""
