"""The commands of ``toolkit``, one file each."""
