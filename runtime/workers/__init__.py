"""Everything that runs beside the caller: threads and processes."""
