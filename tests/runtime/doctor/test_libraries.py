"""Engines whose shared libraries the system's loader refuses: a real library, changed by bytes."""

import struct
import sys
from pathlib import Path

import PIL
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="changes ELF files")


@pytest.fixture
def engine(environment, tmp_path):
    """Return what the doctor says of an engine that loads a library with changed bytes."""

    def make(change):
        made = environment()
        (source, *_) = Path(PIL.__file__).parent.glob("_imagingmath*.so")
        data = bytearray(source.read_bytes())
        change(data)
        library = tmp_path / "engine.bin"
        library.write_bytes(data)
        made.write("ai_edge_litert", f"import ctypes; ctypes.CDLL({str(library)!r})", "2.3.0")
        return made.doctor("--backend", "litert", code=3)["backends"]["litert"]

    return make


def replace(data, old, new):
    assert old in data
    data[:] = data.replace(old, new)


def test_a_library_that_is_missing_is_named(engine):
    found = engine(lambda data: replace(data, b"\0libc.so.6\0", b"\0libq.so.6\0"))
    assert found["problem"] == "ai-edge-litert 2.3.0 needs libq.so.6, which is not on this machine"
    assert found["fix"] == "pip install --force-reinstall --no-deps ai-edge-litert"


@pytest.mark.parametrize(
    ("library", "package"),
    [("libgomp.so.1", "libgomp1"), ("libstdc++.so.6", "libstdc++6")],
)
def test_a_missing_library_of_debian_comes_with_its_package(environment, library, package):
    made = environment()
    text = f"{library}: cannot open shared object file: No such file or directory"
    made.write("ai_edge_litert", f"raise ImportError('{text}')", "2.3.0")
    found = made.doctor("--backend", "litert", code=3)["backends"]["litert"]
    assert library in found["problem"]
    assert found["fix"] == f"sudo apt install {package}"


def test_an_older_c_library_is_told(engine):
    found = engine(lambda data: replace(data, b"\0GLIBC_2.2.5\0", b"\0GLIBC_9.9.9\0"))
    assert found["problem"].startswith("ai-edge-litert 2.3.0 requires GLIBC_9.9.9")


def test_a_library_for_smaller_pages_is_told(engine):
    """As on a Raspberry Pi 5, whose kernel has pages of 16 KB."""

    def misalign(data):
        (start,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        for place in range(start, start + size * count, size):
            if struct.unpack_from("<I", data, place) == (1,):  # PT_LOAD
                (offset,) = struct.unpack_from("<Q", data, place + 8)
                struct.pack_into("<Q", data, place + 8, offset + 0x10)

    found = engine(misalign)
    assert "does not fit memory pages of" in found["problem"]


def test_a_library_of_another_processor_is_told(engine):
    found = engine(lambda data: data.__setitem__(4, 1))  # ELFCLASS32
    assert found["problem"] == "ai-edge-litert 2.3.0 was installed for another kind of processor"
    assert found["fix"] == "pip install --force-reinstall --no-deps ai-edge-litert"
