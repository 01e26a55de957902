"""Model files: container, manifest, golden inputs and digest."""
