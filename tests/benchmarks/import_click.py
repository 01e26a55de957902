"""What a command line costs that does nothing: the import of click."""

import click  # noqa: F401 - the import is all it does
