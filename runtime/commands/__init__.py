"""The commands of ``runtime``, one file each."""
