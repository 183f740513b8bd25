"""Pictures of sounds and scores, with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soundalike.anomalies.results import Region
from soundalike.display.sound import RATE_HZ, Sound, seconds
from soundalike.evaluation.html import cleaned
from soundalike.types import FloatArray

#: Seconds around the part that is marked.
MARGIN_S = 2.0
_WIDTH_IN, _DPI = 8.0, 80
_FRAME, _MAX_COLUMNS, _RANGE_DB = 1024, 800, 80.0
_MARK = "tab:red"
_MAX_TITLE = 48


class Picture(Figure):
    """A figure of matplotlib that a notebook shows, also without ``pyplot``."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def plot_sound(sound: Sound, *, margin_s: float = MARGIN_S) -> Picture:
    """Draw the waveform above the spectrogram, with the part marked.

    Parameters
    ----------
    sound : Sound
    margin_s : float
        Seconds before and after the part.
    """
    return plot_sounds([sound], margin_s=margin_s)


def plot_sounds(sounds: Sequence[Sound], *, margin_s: float = MARGIN_S) -> Picture:
    """Draw sounds side by side; see `plot_sound`."""
    figure = _figure(4.0)
    axes = figure.subplots(2, len(sounds), sharex="col", sharey="row", squeeze=False, **_RATIOS)
    for sound, (upper, lower) in zip(sounds, axes.T, strict=True):
        _draw(sound, upper, lower, margin_s)
    return figure


def plot_unusual(
    sound: Sound, windows: Sequence[Region], regions: Sequence[Region], threshold: float
) -> Picture:
    """Draw a sound with unusual stretches marked, above the score of each window.

    Parameters
    ----------
    sound : Sound
    windows, regions : sequence of Region
        Each window with its score, and the unusual stretches.
    threshold : float
        Of the score of the recording, as a dashed line.
    """
    figure = _figure(5.0)
    upper, lower, scores = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 1))
    _draw(sound, upper, lower, 0.0, [(found.start_s, found.end_s) for found in regions])
    lower.set_xlabel("")
    for window in windows:
        scores.plot((window.start_s, window.end_s), (window.score,) * 2, color="tab:blue")
    scores.axhline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3f}")
    scores.set(xlabel="time in s", ylabel="score")
    scores.legend(loc="upper right", fontsize="small")
    return figure


def plot_scores(
    scores: Sequence[float],
    *,
    groups: Sequence[str] | None = None,
    threshold: float | None = None,
    label: str = "score",
) -> Picture:
    """Draw a histogram of scores, with a line at the threshold.

    Parameters
    ----------
    scores : sequence of float
    groups : sequence of str, optional
        A word for each score; each group has a colour.
    threshold : float, optional
    label : str
        Of the axis.
    """
    figure = _figure(3.0)
    axes = figure.subplots()
    # matplotlib leaves names with an underscore out of the legend.
    named = ["_"] * len(scores) if groups is None else [_plain(str(group)) for group in groups]
    values = np.asarray(scores, dtype=float)
    kinds = list(dict.fromkeys(named))
    if len(values):
        both = values if threshold is None else np.append(values, threshold)
        edges = np.histogram_bin_edges(both, bins=min(30, max(5, len(values))))
        chosen = [values[[name == kind for name in named]] for kind in kinds]
        axes.hist(chosen, bins=list(edges), label=kinds, stacked=True)
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", label=f"threshold {threshold:.3f}")
    axes.set(xlabel=label, ylabel="number")
    if groups is not None or threshold is not None:
        axes.legend(fontsize="small")
    return figure


def plot_points(points: npt.ArrayLike, groups: Sequence[str]) -> Picture:
    """Draw points of two dimensions in the colours of their groups.

    Parameters
    ----------
    points : (n, 2) array
    groups : sequence of str
        A word for each point.
    """
    figure = _figure(5.0)
    axes = figure.subplots()
    places = np.asarray(points, dtype=float).reshape(-1, 2)
    for number, kind in enumerate(sorted(set(groups))):
        rows = [group == kind for group in groups]
        marker = "os^Dv"[number // 10 % 5]
        axes.scatter(places[rows, 0], places[rows, 1], s=24, marker=marker, label=_plain(kind) or "none")
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", "datalim")
    if len(groups):
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


_RATIOS: dict[str, Any] = {"height_ratios": (1, 2)}


def _figure(height_in: float) -> Picture:
    return Picture(figsize=(_WIDTH_IN, height_in), dpi=_DPI, layout="constrained")


def _draw(
    sound: Sound,
    upper: Axes,
    lower: Axes,
    margin_s: float,
    marks: Sequence[tuple[float, float]] | None = None,
) -> None:
    samples, begin_s = sound.samples(margin_s, margin_s)
    end_s = begin_s + len(samples) / RATE_HZ
    times, outline = _outline(samples, begin_s)
    upper.fill_between(times, outline[0], outline[1], color="tab:blue", linewidth=0)
    levels, top_hz = _levels(samples)
    lower.imshow(
        levels,
        origin="lower",
        aspect="auto",
        extent=(begin_s, end_s, 0.0, top_hz / 1000),
        vmin=levels.max() - _RANGE_DB,
        vmax=levels.max(),
        cmap="viridis",
    )
    for start_s, stop_s in [(sound.start_s, sound.end_s)] if marks is None else marks:
        upper.axvspan(start_s, stop_s, color=_MARK, alpha=0.25)
        for edge in (start_s, stop_s):
            lower.axvline(edge, color=_MARK)
    title = f"{_shortened(sound.title)}\n{seconds(sound.start_s, sound.end_s)}"
    upper.set_title(_plain(title), fontsize="medium")
    upper.set(xlim=(begin_s, end_s))
    lower.set(xlabel="time in s")
    upper.set(ylabel="amplitude")
    lower.set(ylabel="frequency in kHz")
    upper.label_outer()
    lower.label_outer()


def _outline(samples: FloatArray, begin_s: float) -> tuple[npt.NDArray[np.float64], list[FloatArray]]:
    """Return times, and the lowest and highest sample at each."""
    firsts = np.unique(np.linspace(0, len(samples), min(len(samples), 2000), endpoint=False).astype(int))
    bounds = [np.minimum.reduceat(samples, firsts), np.maximum.reduceat(samples, firsts)]
    return begin_s + firsts / RATE_HZ, bounds


def _levels(samples: FloatArray) -> tuple[npt.NDArray[np.float64], float]:
    """Return the spectrogram in decibels, ``(n_frequencies, n_times)``, and its highest frequency."""
    hop = max(_FRAME // 4, len(samples) // _MAX_COLUMNS)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _FRAME // 2), _FRAME)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FRAME))).T ** 2
    floor = max(float(power.max()) * 10 ** (-_RANGE_DB / 10), 1e-20)
    return 10 * np.log10(np.maximum(power, floor)), RATE_HZ / 2


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TITLE else f"...{text[3 - _MAX_TITLE :]}"


def _plain(text: str) -> str:
    """Return text in which matplotlib finds neither formulas nor hidden labels."""
    return cleaned(text).replace("$", r"\$").lstrip("_")
