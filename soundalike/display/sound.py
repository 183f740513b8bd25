"""Sounds as results name them, and their samples for pictures and players."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.sandbox import shared
from soundalike.audio.sources import resolve_path
from soundalike.errors import ParameterError
from soundalike.evaluation.html import cleaned
from soundalike.types import FloatArray

#: Of samples to show and to play: up to the highest pitches that people hear well.
RATE_HZ = 32_000
#: Longest part that is shown: 15 MB of samples.
MAX_SHOWN_S = 120.0
#: Folders upwards that a relative path may begin with.
_MAX_UPWARDS = 2


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound, or a part of it.

    Attributes
    ----------
    source : str, Path or bytes
        A path, or the bytes of a sound file.
    name : str
        Name in titles.
    start_s, end_s : float
        The part that is meant, in seconds.
    """

    source: str | Path | bytes
    name: str
    start_s: float
    end_s: float

    @property
    def title(self) -> str:
        """The name, on one line."""
        return cleaned(" ".join(self.name.split()))

    def samples(self, before_s: float = 0.0, after_s: float = 0.0) -> tuple[FloatArray, float]:
        """Return samples at `RATE_HZ` with some seconds around the part, and the second of the first.

        Raises
        ------
        AudioError
            The sound cannot be read.
        ParameterError
            The part is too long to be shown, or the recording ends before it.
        """
        if not (before_s >= 0 and after_s >= 0):
            raise ParameterError(f"the margins are {before_s} and {after_s} s; give 0 or more")
        begin_s = max(0.0, self.start_s - before_s)
        end_s = self.end_s + after_s
        if end_s - begin_s > MAX_SHOWN_S:
            raise ParameterError(
                f"the part from {begin_s:g} to {end_s:g} s is longer than {MAX_SHOWN_S:g} s; show a "
                "shorter one"
            )
        source = self.source if isinstance(self.source, bytes) else resolve_path(self.source)
        found = shared().run(load_audio, source, Part(begin_s, end_s), sample_rate_hz=RATE_HZ)
        samples: FloatArray = found.samples
        return samples, begin_s


def seconds(start_s: float, end_s: float) -> str:
    """Return a span for people.

    Examples
    --------
    >>> seconds(4.0, 8.25)
    '4.0-8.2 s'
    """
    return f"{start_s:.1f}-{end_s:.1f} s"


def shown_path(uri: str) -> str:
    """Return a path relative to the working directory, unless that is far away.

    Examples
    --------
    >>> shown_path(os.path.abspath("field/pond.flac")), shown_path("upload:1")
    ('field/pond.flac', 'upload:1')
    """
    if not uri.startswith("/"):
        return uri
    try:
        relative = os.path.relpath(uri)
    except (OSError, ValueError):
        return uri
    upwards = relative.split("/").count("..")
    return uri if upwards > _MAX_UPWARDS else relative
