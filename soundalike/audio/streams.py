"""Streams of decoded samples, the common interface of the decoders."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

#: Supported sample rates and numbers of channels.
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_000_000
MAX_CHANNELS = 64
#: Approximate number of samples per channel in a block.
BLOCK_FRAMES = 1 << 16
#: After a seek, decoders need some frames until they give the same samples as from the start.
RUN_UP_S = 1.0

Block = npt.NDArray[np.float32]
#: Closing the generator closes the file.
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
        Name of the decoder.
    sample_rate_hz : int
        Rate of `blocks`: the rate of the first frame.
    declared_s : float or None
        Length that the header declares, in seconds; None if it is only an estimate.
    blocks : generator of (n_frames, n_channels) float32
        The samples in order; the number of channels may change from block to block. Raises
        `DecodeError` if the content breaks off.
    damaged_packets : list of str
        One entry for each skipped packet; grows while `blocks` is read.
    notes : list of str
        Other warnings; complete after the last block.
    first_frame : int
        Position of `blocks` in the recording, in frames: the requested start, or an earlier position
        if the format does not support seeking.
    doubt : callable
        Called after the last block: returns why this decoder may have missed sound, or None if it has
        read all content.
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
