"""Photos of handwritten digits: find the strokes, cut them out, frame them like MNIST."""
