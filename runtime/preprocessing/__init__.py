"""From an image file or an array to model input."""
