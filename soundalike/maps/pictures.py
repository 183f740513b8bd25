"""Small spectrograms of points, packed into one picture."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.pictures import spectrogram_png
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.errors import SoundalikeError
from soundalike.maps.sound_map import SoundMap
from soundalike.runtime.parallel import map_ahead

#: The most pictures of a sheet; WebP has at most 16 383 pixels a side.
MAX_PICTURES = 10_000
_WIDTH, _HEIGHT, _COLUMNS = 96, 48, 100
_QUALITY = 60
#: Of longer recordings the beginning is shown.
_LONGEST_S = 30.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """Spectrograms in one picture.

    Attributes
    ----------
    content : bytes
        WebP.
    places : list of int
        Of each point, counted by rows; -1 for points without a picture.
    columns : int
    """

    content: bytes
    places: list[int]
    columns: int

    def to_json(self) -> dict[str, Any]:
        """Return how to cut the pictures out."""
        return {
            "places": self.places,
            "columns": self.columns,
            "width": _WIDTH,
            "height": _HEIGHT,
        }


def draw_sheet(
    found: SoundMap, decoding: IsolatedDecoding, on_drawn: Callable[[int], None] = lambda done: None
) -> Sheet | None:
    """Return spectrograms of all points whose files can be read; None if no file can.

    About 1 kB each.

    Parameters
    ----------
    found : SoundMap
        With at most `MAX_PICTURES` points.
    decoding : IsolatedDecoding
    on_drawn : callable, optional
        Called with the number of points that are done.
    """

    def draw(number: int) -> bytes | None:
        path = Path(found.recordings[number].uri)
        begin, end = found.spans_s[number].tolist()
        try:
            if not path.is_file():
                return None
            excerpt = Excerpt(begin, min(end, begin + _LONGEST_S))
            return decoding.run(spectrogram_png, path, excerpt, width=_WIDTH, height=_HEIGHT)
        except (SoundalikeError, OSError, ValueError):
            # The file was changed or is damaged; its point has no picture.
            return None

    drawn: list[bytes | None] = []
    for picture in map_ahead(draw, range(len(found))):
        drawn.append(picture)
        on_drawn(len(drawn))
    return _packed(drawn)


def _packed(drawn: Sequence[bytes | None]) -> Sheet | None:
    pictures = [picture for picture in drawn if picture is not None]
    if not pictures:
        return None
    columns = min(_COLUMNS, len(pictures))
    size = columns * _WIDTH, math.ceil(len(pictures) / columns) * _HEIGHT
    sheet = Image.new("RGB", size)
    for place, picture in enumerate(pictures):
        corner = place % columns * _WIDTH, place // columns * _HEIGHT
        sheet.paste(Image.open(io.BytesIO(picture)).convert("RGB"), corner)
    out = io.BytesIO()
    sheet.save(out, "WEBP", quality=_QUALITY)
    numbers = iter(range(len(pictures)))
    places = [-1 if picture is None else next(numbers) for picture in drawn]
    return Sheet(out.getvalue(), places, columns)
