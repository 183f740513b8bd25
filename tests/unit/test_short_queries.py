"""A query that is far shorter than a window says so; one that fills it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.search.queries import Query, short_query
from soundalike.search.timeline import timeline
from soundalike.store import MemoryStore
from soundalike.types import FloatArray

SHORT = (
    "the query has 1.0 s, a window 4 s: matches of short queries are unreliable; give a longer one, or "
    "index with --window-size 1"
)


@pytest.fixture
def pipeline(
    tmp_path: Path, tone: Callable[..., FloatArray], write_wav: Callable[..., Path]
) -> Pipeline:
    """Index 1.sound.wav, 2.sound.wav and 10.sound.wav, which have so many seconds."""
    made = Pipeline(MemoryStore(), Modulation(), WindowPlan(4.0, 2.0))
    paths = [
        write_wav(tmp_path / f"{seconds}.sound.wav", tone(300 * seconds, float(seconds)))
        for seconds in (1, 2, 10)
    ]
    assert [r.outcome for r in made.index(IndexItem(str(path)) for path in paths)] == ["added"] * 3
    return made


def test_a_short_sound(pipeline: Pipeline, tmp_path: Path):
    assert pipeline.search(tmp_path / "1.sound.wav").warnings == (SHORT,)
    assert pipeline.search((tmp_path / "1.sound.wav").read_bytes()).warnings == (SHORT,)
    found = timeline(pipeline, tmp_path / "1.sound.wav", min_score=0.5)
    assert found.warnings == (SHORT,)


def test_half_a_window_is_enough(pipeline: Pipeline, tmp_path: Path):
    for name in ("2.sound.wav", "10.sound.wav"):
        assert pipeline.search(tmp_path / name).warnings == ()
        assert timeline(pipeline, tmp_path / name, min_score=0.5).warnings == ()


def test_a_part_of_a_sound(pipeline: Pipeline, tmp_path: Path):
    path = tmp_path / "10.sound.wav"

    assert pipeline.search(Query(path, excerpt=Excerpt(4.0, 5.0))).warnings == (SHORT,)
    assert pipeline.search(Query(path, excerpt=Excerpt(4.0, 7.0))).warnings == ()
    assert pipeline.search(Query(path, excerpt=Excerpt(at_s=5.0))).warnings == ()


def test_what_is_stored(pipeline: Pipeline, tmp_path: Path):
    """Its windows are those of the index, full ones unless the recording is short."""
    ids = {file.duration_s: file.recording_id for file in pipeline.store.files()}

    assert pipeline.search(Query(recording_id=ids[1.0])).warnings == (SHORT,)
    assert pipeline.search(Query(recording_id=ids[10.0])).warnings == ()
    part = Query(recording_id=ids[10.0], excerpt=Excerpt(4.0, 5.0))
    assert pipeline.search(part).warnings == ()


def test_a_vector(pipeline: Pipeline):
    (content, *_) = pipeline.store.contents()
    assert pipeline.search(Query(vector=content.embeddings[0].tolist())).warnings == ()


@pytest.mark.parametrize(
    ("duration_s", "window_s", "text"),
    [
        (4.96, 10.0, "the query has 5.0 s, a window 10 s: .*--window-size 4"),
        (0.125, 4.0, "the query has 0.12 s, a window 4 s: .*--window-size 1"),
        (0.4, 1.0, "the query has 0.4 s, a window 1 s: .*; give a longer one"),
    ],
)
def test_the_window_that_would_fit(duration_s: float, window_s: float, text: str):
    (warning,) = short_query(duration_s, window_s)
    assert re.fullmatch(text, warning)
