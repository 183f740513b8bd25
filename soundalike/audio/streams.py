"""An open recording: a stream of blocks of samples, whichever decoder reads it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

#: Samples of each channel in a block, about.
BLOCK_FRAMES = 1 << 16
#: Decoders need some frames before they give the same samples as when they began at the start.
RUN_UP_S = 1.0

Block = npt.NDArray[np.float32]
#: Closing it closes the file that it reads.
Blocks = Generator[Block, None, None]


class DecodeError(Exception):
    """A decoder could not read the content; the next one is tried."""


def _no_doubt() -> None:
    return None


@dataclass(slots=True)
class AudioStream:
    """An open recording.

    Attributes
    ----------
    decoder : str
        Which decoder reads it.
    sample_rate_hz : int
        Rate of `blocks`: that of the recording's first frame.
    declared_s : float or None
        Length that the header promises, in seconds; None where it is only an estimate.
    blocks : generator of (n_frames, n_channels) float32
        The samples in order; the number of channels may change from block to block. Raises
        `DecodeError` where the content breaks off.
    damaged_packets : list of str
        One entry for each packet that was skipped; grows while `blocks` is read.
    notes : list of str
        Other sentences for whoever indexes the recording; complete after the last block.
    first_frame : int
        Where in the recording `blocks` begins, in frames. Not behind the start that was asked for, and
        before it where the format does not allow to go there at once.
    doubt : callable
        Called after the last block: returns why sound may be left that this decoder does not see, or
        None where it has come to the end of the content.
    """

    decoder: str
    sample_rate_hz: int
    declared_s: float | None
    blocks: Blocks
    damaged_packets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    first_frame: int = 0
    doubt: Callable[[], str | None] = _no_doubt


def reason(exc: BaseException) -> str:
    """Return the shortest useful part of a decoder's message, without paths or memory addresses."""
    text = getattr(exc, "error_string", None) or getattr(exc, "strerror", None) or str(exc)
    return " ".join(str(text).split()).rstrip(".") or type(exc).__name__
