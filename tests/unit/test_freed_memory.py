"""Memory that was freed is used again without the system's help."""

import subprocess
import sys

import pytest

#: Prints how many pages the system had to find for arrays that come and go.
PROGRAM = """
import resource, sys
import numpy as np
from soundalike.freed_memory import keep_freed_memory

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
