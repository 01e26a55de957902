"""Latency of several model files on this workstation, compared."""
