"""The search for quantization settings with which a file passes."""
