"""From a file or an upload to mono samples at 16 kHz, in bounded memory."""

from soundalike.audio.loading import Waveform, load_audio
from soundalike.audio.sources import folder_label, recording_id_of, resolve_path, stored_names, uri_of

__all__ = [
    "Waveform",
    "folder_label",
    "load_audio",
    "recording_id_of",
    "resolve_path",
    "stored_names",
    "uri_of",
]
