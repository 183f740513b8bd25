"""A page that explains scores: each recording beside its nearest normal clip."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from xml.etree.ElementTree import Element

from soundalike.anomalies.detector import ScoredFile
from soundalike.anomalies.results import Region, Score
from soundalike.audio import pictures
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.sandbox import shared
from soundalike.audio.sources import path_of
from soundalike.errors import SoundalikeError
from soundalike.evaluation.html import Child, element, page, svg_line

_WIDTH, _HEIGHT = 520, 128
#: More recordings would make a page of many megabytes; the most unusual ones are shown.
MAX_SHOWN = 100
#: Of a longer recording, the part around its most unusual window is shown.
_SHOWN_S = 60.0


def render(name: str, scores: Sequence[ScoredFile], *, made_at: datetime | None = None) -> str:
    """Return the page, the most unusual recording first.

    Parameters
    ----------
    name : str
        Name of the model.
    scores : sequence of ScoredFile
    made_at : datetime, optional
        Time of the page; now by default.
    """
    title = f"Recordings against {name}"
    made_at = made_at or datetime.now(UTC)
    scored = [(one, one.score) for one in scores if one.score is not None]
    ranked = sorted(scored, key=lambda pair: -pair[1].score)
    failed = [one for one in scores if one.error is not None]
    return page(
        title,
        resources.files("soundalike.evaluation").joinpath("style.css").read_text(encoding="utf-8"),
        element("h1", title),
        element(
            "p", f"soundalike {version('soundalike')}, {made_at:%Y-%m-%d %H:%M} UTC", class_="quiet"
        ),
        *(part for one, found in ranked[:MAX_SHOWN] for part in _recording(one, found)),
        element("p", f"{len(ranked) - MAX_SHOWN} more are not shown")
        if len(ranked) > MAX_SHOWN
        else None,
        *(element("p", f"failed: {one.uri}: {one.error.message}") for one in failed if one.error),
    )


def _recording(one: ScoredFile, found: Score) -> list[Child]:
    where = ", ".join(f"{region.start_s:.1f}-{region.end_s:.1f} s" for region in found.regions)
    verdict = "Anomalous" if found.is_anomalous else "Normal"
    nearest = found.nearest
    return [
        element("h2", one.uri),
        element(
            "p",
            f"{verdict}: score {found.score:.3f}, threshold {found.threshold:.3f} at "
            f"{found.false_alarm_rate:.1%} false alarms. {'Unusual: ' + where if where else ''}",
        ),
        element(
            "div",
            _picture("This recording", one.uri, found.worst, found.regions),
            _picture(
                f"Nearest normal clip: {nearest.uri}",
                nearest.uri,
                Region(nearest.start_s, nearest.end_s, 0.0),
                [Region(nearest.start_s, nearest.end_s, 0.0)],
            ),
            class_="side",
        ),
    ]


def _picture(caption: str, uri: str, worst: Region, marked: Sequence[Region]) -> Element:
    """Return a spectrogram with marked stretches, or the reason why there is none."""
    begin_s = max(0.0, (worst.start_s + worst.end_s - _SHOWN_S) / 2)
    try:
        path = path_of(uri)
        excerpt = Excerpt(begin_s, begin_s + _SHOWN_S)
        outline = shared().run(pictures.peaks, path, excerpt, points=1)
        image = shared().run(pictures.spectrogram_png, path, excerpt, width=_WIDTH, height=_HEIGHT)
    except SoundalikeError as exc:
        return element("figure", element("figcaption", f"{caption}: {exc.message}"))
    shown_s = max(outline.end_s - begin_s, 1e-3)
    source = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    return element(
        "figure",
        element("figcaption", caption),
        element("img", src=source, width=_WIDTH, height=_HEIGHT, alt="spectrogram"),
        element(
            "svg",
            *(_mark(region, begin_s, shown_s) for region in marked),
            width=_WIDTH,
            height=8,
            viewBox=f"0 0 {_WIDTH} 8",
            role="img",
            aria_label="marked seconds",
        ),
        element("p", f"{begin_s:.1f} to {begin_s + shown_s:.1f} s", class_="quiet"),
    )


def _mark(region: Region, begin_s: float, shown_s: float) -> Element:
    left, right = (
        _WIDTH * min(1.0, max(0.0, (second - begin_s) / shown_s))
        for second in (region.start_s, region.end_s)
    )
    return svg_line(left, 4, right, 4, class_="curve s1")
