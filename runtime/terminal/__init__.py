"""What the command lines share: options, errors as exit codes, progress, silent engines."""
