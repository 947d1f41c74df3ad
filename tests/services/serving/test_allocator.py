"""Memory of a large body is there for the next one, counted by page faults in a process of its own."""

import ctypes
import subprocess
import sys

import pytest

# A body is in pieces, joined and cut: when all of these are freed, glibc by itself gives the heap's end back (50,000
# faults here).
N_BODIES, COPIES, BODY_BYTES, PAGE_BYTES = 50, 4, 2**20, 4096
_SCRIPT = f"""
import resource
from services.serving.allocator import keep_freed_memory
assert keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({N_BODIES}):
    [b"x".ljust({BODY_BYTES}) for _ in range({COPIES})]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_memory_of_a_large_body_is_kept_for_the_next() -> None:
    pages = COPIES * BODY_BYTES // PAGE_BYTES
    assert _faults() < 3 * pages


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_memory_beyond_the_largest_kept_block_goes_back() -> None:
    code = """
from pathlib import Path
from services.serving.allocator import MOST_KEPT_BLOCK_BYTES, keep_freed_memory
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
keep_freed_memory()
before = resident()
block = b"x".ljust(8 * MOST_KEPT_BLOCK_BYTES)
held = resident()
del block
assert held - before > 7 * MOST_KEPT_BLOCK_BYTES, "nothing was held"
assert resident() - before < MOST_KEPT_BLOCK_BYTES
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def _faults() -> int:
    return int(subprocess.run([sys.executable, "-c", _SCRIPT], check=True, capture_output=True, text=True).stdout)
