"""Worker threads and worker processes, which run beside the caller."""
