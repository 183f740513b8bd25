"""What an earlier decoder has decoded is decoded again, from wherever it can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.indexing.items import IndexItem, IndexResult
from soundalike.indexing.pipeline import Pipeline
from soundalike.indexing.reindex import plan_rebuild, rebuild
from soundalike.indexing.renewing import find_outdated, renew
from soundalike.store import MemoryStore
from soundalike.store.base import Content, Entry
from soundalike.types import FloatArray

PLAN = WindowPlan(1.0, 0.5)
TOUCHED_S = 1_700_000_000
Tone = Callable[..., FloatArray]
WriteWav = Callable[..., Path]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryStore(), Modulation(), PLAN)


@pytest.fixture
def write(tmp_path: Path, tone: Tone, write_wav: WriteWav) -> Callable[..., Path]:
    """Write a tone of 3 s that was changed for the last time in 2023: ``write("a/b.wav", 300)``."""

    def write(name: str, frequency_hz: float = 300) -> Path:
        path = write_wav(tmp_path / name, tone(frequency_hz, 3.0))
        os.utime(path, (TOUCHED_S, TOUCHED_S))
        return path

    return write


def index(pipeline: Pipeline, *paths: Path) -> None:
    list(pipeline.index(IndexItem(str(path)) for path in paths))


def make_earlier(pipeline: Pipeline, *, cut_s: float = 0.0, **known: object) -> None:
    """Let everything be stored as an earlier decoder has decoded it, which lost so much at the end."""
    contents = list(pipeline.store.contents())
    pipeline.store.drop_collection(pipeline.collection)
    for content in contents:
        _put_cut(pipeline, content, cut_s, known)


def _put_cut(pipeline: Pipeline, content: Content, cut_s: float, known: dict[str, object]) -> None:
    from dataclasses import replace

    kept = len(content.windows) - round(cut_s / PLAN.stride_s)
    entries = [
        Entry(
            replace(file, duration_s=file.duration_s - cut_s, **known),
            content.windows[:kept],
            content.embeddings[:kept].astype(np.float32),
            1,
        )
        for file in content.files
    ]
    pipeline.store.add_many(entries, pipeline.spec)


def renewed(pipeline: Pipeline, uploads: Path | None = None) -> list[IndexResult]:
    return list(renew(pipeline, find_outdated(pipeline), uploads))


def outcomes(results: list[IndexResult]) -> dict[str, str]:
    return {Path(result.uri).name: result.outcome for result in results}


def test_what_was_cut_is_whole_again(pipeline: Pipeline, write: Callable[..., Path]):
    index(pipeline, write("low/a.wav"), write("high/b.wav", 3000))
    fresh = [content.embeddings.tobytes() for content in pipeline.store.contents()]
    make_earlier(pipeline, cut_s=1.0)
    assert pipeline.store.status().windows == 6

    assert outcomes(renewed(pipeline)) == {"a.wav": "updated", "b.wav": "updated"}
    assert [content.embeddings.tobytes() for content in pipeline.store.contents()] == fresh
    assert {file.duration_s for file in pipeline.store.files()} == {3.0}
    assert {file.label for file in pipeline.store.files()} == {"low", "high"}
    assert pipeline.store.status().earlier_decoder == 0
    assert renewed(pipeline) == []


def test_what_comes_out_the_same_gets_the_version(pipeline: Pipeline, write: Callable[..., Path]):
    index(pipeline, write("a.wav"))
    make_earlier(pipeline)

    assert outcomes(renewed(pipeline)) == {"a.wav": "unchanged"}
    assert pipeline.store.status().earlier_decoder == 0


def test_indexing_leaves_what_is_unchanged(pipeline: Pipeline, write: Callable[..., Path]):
    """100 000 unchanged files cost no hours; reindex is for that."""
    path = write("a.wav")
    index(pipeline, path)
    make_earlier(pipeline, cut_s=1.0)

    for checksum in (False, True):
        (result,) = pipeline.index([IndexItem(str(path))], checksum=checksum)
        assert result.outcome == "unchanged"
    assert pipeline.store.status().earlier_decoder == 1


def test_path_label_and_tags_stay(pipeline: Pipeline, write: Callable[..., Path]):
    path = write("a.wav")
    list(pipeline.index([IndexItem(str(path), "dog", {"n": 1})]))
    make_earlier(pipeline, cut_s=1.0, label=None)
    before = next(pipeline.store.files())

    assert outcomes(renewed(pipeline)) == {"a.wav": "updated"}
    after = next(pipeline.store.files())
    assert (after.uri, after.label, after.tags, after.stat) == (
        *(before.uri, None, {"n": 1}),
        before.stat,
    )


def test_a_start_that_is_counted_back_follows_the_length(pipeline: Pipeline, write: Callable[..., Path]):
    index(pipeline, write("a.wav"))
    began = datetime.fromtimestamp(TOUCHED_S - 3, UTC)
    assert next(pipeline.store.files()).recorded_at == began
    wrong = datetime.fromtimestamp(TOUCHED_S - 2, UTC)
    make_earlier(pipeline, cut_s=1.0, recorded_at=wrong)

    renewed(pipeline)
    assert next(pipeline.store.files()).recorded_at == began


def test_a_rebuild_counts_it_back_too(pipeline: Pipeline, write: Callable[..., Path]):
    index(pipeline, write("a.wav"))
    wrong = datetime.fromtimestamp(TOUCHED_S - 2, UTC)
    make_earlier(pipeline, cut_s=1.0, recorded_at=wrong)
    other = Pipeline(pipeline.store, Modulation(), WindowPlan(2.0, 1.0))

    assert outcomes(list(rebuild(other, plan_rebuild(other)))) == {"a.wav": "added"}
    (file,) = pipeline.store.files()
    assert file.recorded_at == datetime.fromtimestamp(TOUCHED_S - 3, UTC)
    assert pipeline.store.status().earlier_decoder == 0


def test_another_path_is_tried_where_one_is_gone(pipeline: Pipeline, write: Callable[..., Path]):
    first, second = write("a.wav"), write("b.wav")
    index(pipeline, first, second)
    make_earlier(pipeline, cut_s=1.0)
    first.unlink()

    assert outcomes(renewed(pipeline)) == {"b.wav": "updated"}
    assert [file.uri for file in pipeline.store.files()] == [str(first), str(second)]
    assert pipeline.store.status().earlier_decoder == 0


def test_what_cannot_be_read_stays_as_it_was(pipeline: Pipeline, write: Callable[..., Path]):
    first, second = write("a.wav"), write("b.wav", 3000)
    index(pipeline, first, second)
    make_earlier(pipeline, cut_s=1.0)
    first.rename(first.with_suffix(".gone"))

    found = renewed(pipeline)
    assert outcomes(found) == {"a.wav": "failed", "b.wav": "updated"}
    (failure,) = (result for result in found if result.error)
    assert (failure.uri, failure.error_code) == (str(first), "audio.not_found")
    status = pipeline.store.status()
    assert (status.recordings, status.windows, status.earlier_decoder) == (2, 3 + 5, 1)

    first.with_suffix(".gone").rename(first)
    assert outcomes(renewed(pipeline)) == {"a.wav": "updated"}


def test_a_file_with_other_content_by_now(pipeline: Pipeline, write: Callable[..., Path]):
    """It is indexed; what it held before is renewed from where it still is."""
    first, second = write("a.wav"), write("b.wav")
    index(pipeline, first, second)
    make_earlier(pipeline, cut_s=1.0)
    write("a.wav", 3000)
    os.utime(first, (TOUCHED_S + 100, TOUCHED_S + 100))

    found = renewed(pipeline)
    assert [(Path(result.uri).name, result.outcome) for result in found] == [
        ("a.wav", "replaced"),
        ("b.wav", "updated"),
    ]
    status = pipeline.store.status()
    assert (status.recordings, status.earlier_decoder) == (2, 0)
    (changed,) = (file for file in pipeline.store.files() if file.uri == str(first))
    assert changed.recorded_at == datetime.fromtimestamp(TOUCHED_S + 97, UTC)


def test_one_that_is_deleted_meanwhile_does_not_come_back(
    pipeline: Pipeline, write: Callable[..., Path]
):
    first, second = write("a.wav"), write("b.wav", 3000)
    index(pipeline, first, second)
    make_earlier(pipeline, cut_s=1.0)
    outdated = find_outdated(pipeline)
    pipeline.store.delete(str(first))

    assert outcomes(list(renew(pipeline, outdated))) == {"b.wav": "updated"}
    assert [file.uri for file in pipeline.store.files()] == [str(second)]


def test_an_upload_that_the_service_has_kept(pipeline: Pipeline, write: Callable[..., Path]):
    """Its folder is no label, and its times say when it came."""
    path = write("uploads/u.wav")
    index(pipeline, path)
    unknown = {"label": None, "recorded_at": None, "recorded_at_source": None, "stat": None}
    make_earlier(pipeline, cut_s=1.0, **unknown)

    assert outcomes(renewed(pipeline, path.parent)) == {"u.wav": "updated"}
    (file,) = pipeline.store.files()
    assert (file.label, file.recorded_at, file.stat) == (None, None, None)


def test_a_rebuild_leaves_uploads_as_they_are(pipeline: Pipeline, write: Callable[..., Path]):
    path = write("uploads/u.wav")
    index(pipeline, path)
    unknown = {"label": None, "recorded_at": None, "recorded_at_source": None, "stat": None}
    make_earlier(pipeline, **unknown)
    other = Pipeline(pipeline.store, Modulation(), WindowPlan(2.0, 1.0))

    done = list(rebuild(other, plan_rebuild(other), uploads=path.parent))
    assert outcomes(done) == {"u.wav": "added"}
    (file,) = pipeline.store.files()
    assert (file.label, file.recorded_at, file.stat) == (None, None, None)


def test_uploads_are_found_by_their_id_wherever_they_are_kept_now(
    pipeline: Pipeline, write: Callable[..., Path], tmp_path: Path
):
    path = write("a.wav")
    index(pipeline, path)
    (file,) = pipeline.store.files()
    make_earlier(pipeline, cut_s=1.0, uri=f"upload:{file.recording_id}", stat=None)
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    assert outcomes(renewed(pipeline, uploads)) == {f"upload:{file.recording_id}": "failed"}
    # Of this name, but not of this content.
    write(f"uploads/{file.recording_id}.flac", 3000)
    (failure,) = renewed(pipeline, uploads)
    assert "was uploaded" in str(failure.error)

    path.rename(uploads / f"{file.recording_id}.wav")
    (result,) = renewed(pipeline, uploads)
    assert (result.uri, result.outcome) == (f"upload:{file.recording_id}", "updated")
    (after,) = pipeline.store.files()
    assert (after.uri, after.stat, after.duration_s) == (f"upload:{file.recording_id}", None, 3.0)
