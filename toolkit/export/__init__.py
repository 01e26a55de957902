"""From a trained model to model files in one or more formats."""
