"""Choose windows of a random sample of recordings, to compare unrelated recordings."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from typing import NamedTuple

#: Number of recordings of a sample. Ids are hashes of the content, so the first ones are random.
SAMPLE_RECORDINGS = 600
#: Largest number of windows of a sample.
_MAX_WINDOWS = 4096
#: Largest number of products when each window is compared with each: less than half a second.
_MAX_PRODUCTS = 5e9
#: Adjacent windows of a recording, fewer if there is no room for so many recordings.
_LONGEST, _MIN_RECORDINGS = 32, 100


class Block(NamedTuple):
    """Adjacent windows of a recording: the index of the first, and their number."""

    recording_id: str
    first: int
    length: int


def choose_blocks(recordings: Iterable[tuple[str, int]], dimension: int) -> list[Block]:
    """Return the windows of a sample, in bounded number.

    Parameters
    ----------
    recordings : iterable of (recording_id, n_windows)
        In the order of the ids.
    dimension : int
        Length of a vector.
    """
    room = min(_MAX_WINDOWS, int(math.sqrt(_MAX_PRODUCTS / dimension)))
    longest = max(1, min(_LONGEST, room // _MIN_RECORDINGS))
    blocks: list[Block] = []
    for recording_id, n_windows in recordings:
        size = min(n_windows, longest)
        if blocks and size > room:
            break
        room -= size
        # The last digits are independent of the order.
        first = uuid.UUID(recording_id).int % (n_windows - size + 1)
        blocks.append(Block(recording_id, first, size))
    return blocks
