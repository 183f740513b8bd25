"""Players: the sound of a result inside of a page."""

from __future__ import annotations

import base64
import io
from xml.etree import ElementTree

import numpy as np
import soundfile

from soundalike.display.sound import RATE_HZ, Sound, seconds
from soundalike.evaluation.html import element
from soundalike.types import FloatArray

#: Longest sound of a player: less than 500 kB.
MAX_PLAYED_S = 30.0
_MP3 = ("MP3", "MPEG_LAYER_III", "audio/mpeg")
_WAV = ("WAV", "PCM_16", "audio/wav")


class Player:
    """A sound that a notebook plays.

    Parameters
    ----------
    sound : Sound
        Of a longer part the first 30 seconds are played.

    Attributes
    ----------
    title : str
    media_type : str
        ``audio/mpeg``, or ``audio/wav`` if libsndfile cannot write MP3.
    content : bytes
        The sound file.
    """

    def __init__(self, sound: Sound) -> None:
        last_s = min(sound.end_s, sound.start_s + MAX_PLAYED_S)
        samples, _ = Sound(sound.source, sound.name, sound.start_s, last_s).samples()
        self.title = f"{sound.title}  {seconds(sound.start_s, last_s)}"
        self.media_type, self.content = _encoded(samples)

    def __repr__(self) -> str:
        return f"Player({self.title!r})"

    def _repr_html_(self) -> str:
        source = f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"
        player = element("audio", controls="controls", preload="none", src=source)
        made = element("figure", element("figcaption", self.title), player)
        return ElementTree.tostring(made, encoding="unicode", method="html")


def _encoded(samples: FloatArray) -> tuple[str, bytes]:
    kind, subtype, media_type = _MP3 if _MP3[0] in soundfile.available_formats() else _WAV
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), RATE_HZ, format=kind, subtype=subtype)
    return media_type, file.getvalue()
