"""Mix channels down to mono."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from soundalike.audio.streams import MAX_CHANNELS, Block, DecodeError
from soundalike.types import FloatArray

#: Channels are compared in segments of this length, counted from the start of the recording.
STRETCH_S = 0.5

#: The channels of a stretch cancel each other out if the mix has less than this share (-20 dB) of the
#: energy of a mix of uncorrelated channels.
_CANCELLED_SHARE = 0.01
#: Step between the samples of the quick check before the full comparison.
_SCREENED_EACH = 16
#: Mean square of silence: -100 dB.
_SILENT = 1e-10
#: Shorter stretches, at the end of a recording, are not compared.
_SHORTEST_SHARE = 0.25
#: Energy ratio at which a louder channel replaces the one in use.
_CLEARLY_LOUDER = 2.0


def stretch_frames(rate_hz: int) -> int:
    """Return the length of a stretch in frames."""
    return max(1, round(STRETCH_S * rate_hz))


class MixDown:
    """Mixes blocks of several channels down to their mean.

    If the channels of a stretch cancel each other out (one has inverted polarity), the loudest channel
    replaces the mean, which would be silent.

    Parameters
    ----------
    rate_hz : int
    first_frame : int
        Position of the first block in the recording.

    Attributes
    ----------
    cancelled_s : float
        Seconds in which one channel has replaced the mean so far.
    """

    def __init__(self, rate_hz: int, first_frame: int = 0) -> None:
        self._rate_hz = rate_hz
        self._stretch = stretch_frames(rate_hz)
        self._position = first_frame
        self._channel = 0
        self.cancelled_s = 0.0

    def mono(self, blocks: Iterable[Block]) -> Iterator[FloatArray]:
        """Yield ``(n,)`` float32 blocks.

        Raises
        ------
        DecodeError
            There are more than 64 channels.
        """
        for block in self._on_grid(blocks):
            if block.shape[1] == 1:
                yield block[:, 0]
                continue
            mixed = _mean(block)
            for stretch in self._suspects(block, mixed):
                self._mend(block[stretch], mixed[stretch])
            yield mixed

    def _on_grid(self, blocks: Iterable[Block]) -> Iterator[Block]:
        """Yield the same frames in blocks that end at the bounds of stretches."""
        waiting: list[Block] = []
        for block in blocks:
            _check_channels(block)
            if waiting and waiting[0].shape[1] != block.shape[1]:
                yield self._taken(waiting)
            n_frames = sum(map(len, waiting)) + len(block)
            whole = n_frames - (self._position + n_frames) % self._stretch
            waiting.append(block)
            if whole > 0 and block.shape[1] > 1:
                together = _joined(waiting)
                waiting = [together[whole:]] if whole < n_frames else []
                yield self._taken([together[:whole]])
            elif block.shape[1] == 1:
                yield self._taken(waiting)
        if waiting:
            yield self._taken(waiting)

    def _taken(self, waiting: list[Block]) -> Block:
        block = _joined(waiting)
        waiting.clear()
        self._position += len(block)
        return block

    def _suspects(self, block: Block, mixed: FloatArray) -> Iterator[slice]:
        """Yield the stretches whose channels seem to cancel each other out in a quick check."""
        begins_at = self._position - len(block)
        grid = range(-begins_at % self._stretch, len(block), self._stretch)
        bounds = sorted({0, *grid, len(block)})
        for begin, end in pairwise(bounds):
            if end - begin < _SHORTEST_SHARE * self._stretch:
                continue
            few = block[begin:end:_SCREENED_EACH].ravel()
            energy = np.dot(few, few)
            if energy > _SILENT * few.size and _are_opposed(
                mixed[begin:end:_SCREENED_EACH], energy, block.shape[1], 4 * _CANCELLED_SHARE
            ):
                yield slice(begin, end)

    def _mend(self, part: Block, mixed: FloatArray) -> None:
        """Replace the mix with the loudest channel if the channels cancel each other out."""
        energies = np.einsum("ij,ij->j", part, part, dtype=np.float64)
        if not _are_opposed(mixed, energies.sum(), part.shape[1], _CANCELLED_SHARE):
            return
        loudest = int(np.argmax(energies))
        current = self._channel if self._channel < part.shape[1] else loudest
        is_louder = energies[loudest] > _CLEARLY_LOUDER * energies[current]
        self._channel = loudest if is_louder else current
        mixed[:] = part[:, self._channel]
        self.cancelled_s += len(part) / self._rate_hz


def _are_opposed(mixed: FloatArray, energy: float, n_channels: int, share: float) -> bool:
    """Return whether a mix has less than a share of the energy of a mix of uncorrelated channels."""
    return bool(np.dot(mixed, mixed) * n_channels**2 < share * energy)


def _mean(block: Block) -> FloatArray:
    if block.shape[1] != 2:
        mean: FloatArray = block.mean(axis=1, dtype=np.float32)
        return mean
    # Same result in a third of the time.
    mixed: FloatArray = block[:, 0] + block[:, 1]
    mixed *= np.float32(0.5)
    return mixed


def _joined(blocks: list[Block]) -> Block:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _check_channels(block: Block) -> None:
    if not 1 <= block.shape[1] <= MAX_CHANNELS:
        raise DecodeError(f"{block.shape[1]} channels are more than {MAX_CHANNELS}")
