"""Running a model on a GPU, and proving that it runs there."""
