"""Tasks: the meaning of a model's output; one module per task."""
