"""Recognise media files by their beginning and their name, without decoding.

One rule for all who ask: which files of a folder are sounds, and what a browser is told that a file is.
Nothing here imports more than the standard library, since most commands ask.
"""

from soundalike.audio.sniffing.content import format_of, is_play_list, is_text, read_beginning
from soundalike.audio.sniffing.media_types import media_type_of
from soundalike.audio.sniffing.names import (
    AUDIO_SUFFIXES,
    FILM_SUFFIXES,
    PLAY_LIST_SUFFIXES,
    TEXT_SUFFIXES,
)

__all__ = [
    "AUDIO_SUFFIXES",
    "FILM_SUFFIXES",
    "PLAY_LIST_SUFFIXES",
    "TEXT_SUFFIXES",
    "format_of",
    "is_play_list",
    "is_text",
    "media_type_of",
    "read_beginning",
]
