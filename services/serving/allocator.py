"""Has the C library keep the memory of large bodies for the next one. Called once, at the start.

By default glibc gives a freed block of some size back to the system, and takes it anew for the next request: pages are
zeroed and mapped again, 140 page faults for a body of 0.5 MB, a third of all that such a request took (4,096 rows of 30
numbers in binary tensors: 451 requests a second before, 686 after). Its own adaptive threshold ends where a block at
the heap's end is freed.
"""

import ctypes

# Blocks beyond it go back at once: as large as bodies that `gathering` takes in one piece, whose parts are no larger.
MOST_KEPT_BLOCK_BYTES = 4 * 2**20
# Free memory at a heap's end that stays; a sixteenth of the pod's 512 MiB.
MOST_KEPT_BYTES = 32 * 2**20

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> bool:
    """Returns whether it is so: False where the C library is another one, which has its own ways."""
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "gnu_get_libc_version")):
        return False
    wanted = ((_MMAP_THRESHOLD, MOST_KEPT_BLOCK_BYTES), (_TRIM_THRESHOLD, MOST_KEPT_BYTES))
    return all(library.mallopt(which, size) == 1 for which, size in wanted)
