"""Runs one int8 dot product instruction; a processor without it kills the process (SIGILL)."""

import ctypes
import mmap

CODE = bytes.fromhex("0094804ec0035fd6")  # sdot v0.4s, v0.16b, v0.16b; ret

page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(CODE)
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
print("dot product")
