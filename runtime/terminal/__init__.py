"""Shared by the command lines: options, exit codes of errors, progress, silent engines."""
