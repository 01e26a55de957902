"""Photos of handwritten digits: segment the strokes and frame them like MNIST."""
