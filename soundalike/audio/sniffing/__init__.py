"""Recognise media files by their first bytes and their name, without decoding.

Indexing and the HTTP service share these rules. The package imports only the standard library, because
most commands use it.
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
