"""The workstation side: data, training, evaluation, export and parity."""
