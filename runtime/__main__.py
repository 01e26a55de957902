"""``python -m runtime`` is ``runtime``."""

from runtime.cli import main

main(prog_name="runtime")
