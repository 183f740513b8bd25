"""Errors for content that no decoder can read."""

from __future__ import annotations

from collections.abc import Sequence

from soundalike.audio.sniffing import is_play_list, read_beginning
from soundalike.audio.sources import AudioSource, shown_source
from soundalike.errors import NoAudioTrack, UnreadableAudio

#: Reason that the container decoder gives for a container without sound.
_NO_TRACK = "no audio track inside"


def unreadable_error(source: AudioSource, reasons: Sequence[str]) -> UnreadableAudio:
    """Return the error for content that no decoder can read.

    Parameters
    ----------
    source : Path or bytes
    reasons : sequence of str
        Reasons of the decoders.
    """
    shown = shown_source(source)
    if any(reason.endswith(f": {_NO_TRACK}") for reason in reasons):
        return NoAudioTrack(f"{shown} has no audio track; choose a film with sound, or skip this one")
    if _is_play_list(source):
        return UnreadableAudio(
            f"{shown} is a playlist and contains no sound itself; name the files that it lists"
        )
    return UnreadableAudio(
        f"no decoder can read {shown} as audio ({'; '.join(reasons)}); check that it is a sound file, "
        "or convert it to WAV or FLAC"
    )


def _is_play_list(source: AudioSource) -> bool:
    try:
        head = source[: 1 << 14] if isinstance(source, bytes) else read_beginning(source).head
    except OSError:
        return False
    return is_play_list(head)
