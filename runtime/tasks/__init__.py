"""What the output of a model means; one module a task."""
