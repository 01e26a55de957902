"""Latency of several model files on this workstation, side by side."""
