"""Memory that was freed is used again without the system's help."""

import subprocess
import sys

import pytest

#: Prints how many pages the system had to find for arrays that come and go.
PROGRAM = """
import resource, sys
import numpy as np
from soundalike.runtime.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()
for number in range(21):
    if number == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    # Larger each time, so that glibc's own limit does not simply follow.
    arrays = [np.ones(150_000 + 20_000 * number) for _ in range(3)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_found(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is meant")
def test_arrays_that_come_again_need_no_new_pages():
    assert pages_found("kept") < pages_found("given back") / 4


#: Prints in how many heaps memory lies that sixteen threads hold at the same time.
HEAPS = """
import ctypes, os, sys, tempfile, threading
from soundalike.runtime.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
everybody = threading.Barrier(16)

def hold():
    everybody.wait()
    libc.malloc(100_000)
    everybody.wait()

threads = [threading.Thread(target=hold) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fdopen(os.dup(file.fileno()), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    file.seek(0)
    print(file.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc is meant")
def test_threads_share_a_few_heaps():
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", HEAPS, how]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert heaps("kept") <= 4 < heaps("given back")
