"""The model file: container, manifest, golden inputs and digest."""
