"""Accuracy, per-class metrics and confusion matrices of models and model files."""
