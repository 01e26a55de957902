"""What the engines need to run a model on a GPU, and to prove that it runs there."""
