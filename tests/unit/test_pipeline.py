"""Index and search in one process, with the store in memory and the weight-free encoder."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soundalike.audio.sandbox import IsolatedDecoding, shared
from soundalike.audio.sources import recording_id_of
from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.encoders.clips import embed_searchable
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioNotFound, AudioTooShort, IndexEmpty, ModelMismatch, SilentQuery
from soundalike.filters import Filters
from soundalike.indexing.pipeline import BATCH_RECORDINGS, PAGE_FILES, IndexItem, IndexResult, Pipeline
from soundalike.limits import Limits
from soundalike.store import MemoryStore
from soundalike.types import FloatArray, Recording

RATE = 16_000
NOON = datetime(2025, 5, 1, 12, tzinfo=UTC)
WriteWav = Callable[..., Path]
Tone = Callable[..., FloatArray]


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryStore(), Modulation(), WindowPlan(1.0, 0.5))


class Watching(IsolatedDecoding):
    """Counts what it decodes, and does something to the file before."""

    def __init__(self, before: Callable[[Path], Any]) -> None:
        super().__init__(Limits())
        self.before = before
        self.n_runs = 0

    def run(self, function: Any, source: Any, *arguments: Any, **named: Any) -> Any:
        """Do it with the processes that all tests share."""
        self.n_runs += 1
        self.before(source)
        return shared().run(function, source, *arguments, **named)


def with_decoding(pipeline: Pipeline, decoding: IsolatedDecoding) -> Pipeline:
    """Return a pipeline that is like another one, but for what decodes."""
    return Pipeline(pipeline.store, pipeline.encoder, pipeline.plan, decoding=decoding)


@pytest.fixture
def sounds(tmp_path: Path, tone: Tone, write_wav: WriteWav) -> Path:
    """Write a low and a high tone, and a recording of noise-free silence with a beep at 3 s."""
    write_wav(tmp_path / "low" / "low.wav", tone(300, 2.0))
    write_wav(tmp_path / "high" / "high.wav", tone(4000, 2.0))
    beep = np.zeros(6 * RATE, np.float32)
    beep[3 * RATE : 4 * RATE] = tone(1000, 1.0)
    write_wav(tmp_path / "beep" / "beep.wav", beep)
    return tmp_path


def index(pipeline: Pipeline, *paths: Path) -> list[IndexResult]:
    return list(pipeline.index(IndexItem(str(path)) for path in paths))


def every_sound(sounds: Path) -> list[Path]:
    return sorted(sounds.rglob("*.wav"))


def test_index_and_search(pipeline: Pipeline, sounds: Path, tone: Tone, write_wav: WriteWav):
    results = index(pipeline, *every_sound(sounds))
    assert [result.outcome for result in results] == ["added"] * 3
    assert [result.n_windows for result in results] == [11, 3, 3]
    assert [result.duration_s for result in results] == [6.0, 2.0, 2.0]
    query = write_wav(sounds / "query.wav", tone(310, 1.0, peak=0.4))
    answer = pipeline.search(query)
    assert answer.query == str(query)
    best = answer.matches[0]
    assert best.recording.label == "low"
    assert (best.rank, best.query_start_s, best.query_end_s) == (1, 0.0, 1.0)
    assert best.recording.uri == str(sounds / "low" / "low.wav")
    assert best.recording.duration_s == 2.0


def test_the_event_is_found_at_its_second(
    pipeline: Pipeline, sounds: Path, tone: Tone, write_wav: WriteWav
):
    index(pipeline, *every_sound(sounds))
    answer = pipeline.search(write_wav(sounds / "query.wav", tone(1000, 1.0, peak=0.3)))
    assert answer.matches[0].recording.label == "beep"
    assert (answer.matches[0].start_s, answer.matches[0].end_s) == (3.0, 4.0)


def test_window_times_of_a_query_with_silent_windows(
    pipeline: Pipeline, sounds: Path, tone: Tone, write_wav: WriteWav
):
    index(pipeline, *every_sound(sounds))
    query = np.zeros(4 * RATE, np.float32)
    query[2 * RATE : 3 * RATE] = tone(300, 1.0)
    answer = pipeline.search(write_wav(sounds / "query.wav", query))
    assert [window.start_s for window in answer.windows] == [1.5, 2.0, 2.5]
    assert answer.matches[0].recording.label == "low"
    assert (answer.matches[0].query_start_s, answer.matches[0].query_end_s) == (2.0, 3.0)


def test_bad_files_fail_alone(pipeline: Pipeline, sounds: Path, write_wav: WriteWav):
    (sounds / "text.wav").write_text("no sound")
    short = write_wav(sounds / "short.wav", np.zeros(399, np.float32))
    paths = [sounds / "gone.wav", *every_sound(sounds / "low"), sounds / "text.wav", short]
    results = index(pipeline, *paths, *every_sound(sounds / "high"))
    assert [(result.outcome, result.error_code) for result in results] == [
        ("failed", "audio.not_found"),
        ("added", None),
        ("failed", "audio.unreadable"),
        ("failed", "audio.too_short"),
        ("added", None),
    ]
    assert [result.uri for result in results][:1] == [str(sounds / "gone.wav")]
    assert all(result.error for result in results if result.outcome == "failed")
    assert pipeline.store.status().recordings == 2


def test_every_item_has_one_result_in_order_across_batches(
    pipeline: Pipeline, tmp_path: Path, tone: Tone, write_wav: WriteWav
):
    n_files = 2 * BATCH_RECORDINGS + 3
    paths = [write_wav(tmp_path / f"{n:02}.wav", tone(200 + 20 * n, 0.5)) for n in range(n_files)]
    results = index(pipeline, *paths)
    assert [result.uri for result in results] == [str(path) for path in paths]
    assert pipeline.store.status().windows == n_files


def test_only_few_files_are_held_at_a_time(
    pipeline: Pipeline, tmp_path: Path, tone: Tone, write_wav: WriteWav
):
    # The batch that is embedded and the one that is decoded meanwhile, however long the list is.
    path = write_wav(tmp_path / "a.wav", tone(200, 0.5))
    decoding = Watching(before=lambda _: None)
    pipeline = with_decoding(pipeline, decoding)
    asked_for = 0

    def items() -> Iterator[IndexItem]:
        nonlocal asked_for
        for _ in range(3 * PAGE_FILES):
            asked_for += 1
            yield IndexItem(str(path))

    results = pipeline.index(items())
    assert next(results).outcome == "added"
    assert 0 < decoding.n_runs <= 2 * BATCH_RECORDINGS
    assert asked_for <= PAGE_FILES
    results.close()


def test_known_audio_is_not_decoded_again(pipeline: Pipeline, sounds: Path):
    low = sounds / "low" / "low.wav"
    index(pipeline, low)
    copy = sounds / "copy.wav"
    copy.write_bytes(low.read_bytes())
    again, linked = index(pipeline, low, copy)
    assert (again.outcome, again.n_windows) == ("unchanged", 0)
    assert (linked.outcome, linked.recording_id) == ("linked", again.recording_id)
    assert (again.duration_s, linked.duration_s) == (2.0, 2.0)


def set_age(path: Path, age_s: float) -> int:
    """Let a file be last changed so long ago; return the time in nanoseconds."""
    changed = time.time_ns() - round(age_s * 1e9)
    os.utime(path, ns=(changed, changed))
    return changed


def swap_content(path: Path, content: bytes) -> None:
    """Write other content of the same size, and leave the time of the last change as it was."""
    before = path.stat()
    assert len(content) == before.st_size
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_unchanged_size_and_time_spare_opening(pipeline: Pipeline, sounds: Path):
    low, high = sounds / "low" / "low.wav", (sounds / "high" / "high.wav").read_bytes()
    changed = set_age(low, 100)
    (added,) = index(pipeline, low)
    (stored,) = pipeline.store.files()
    assert stored.stat == (low.stat().st_size, changed)
    swap_content(low, high)

    (again,) = index(pipeline, low)
    assert again == IndexResult(str(low), "unchanged", added.recording_id, duration_s=2.0)
    (read,) = pipeline.index([IndexItem(str(low))], checksum=True)
    assert read.outcome == "replaced"


def test_a_changed_time_is_a_reason_to_read_but_not_to_replace(pipeline: Pipeline, sounds: Path):
    low = sounds / "low" / "low.wav"
    set_age(low, 100)
    index(pipeline, low)
    changed = set_age(low, 50)

    assert index(pipeline, low)[0].outcome == "unchanged"
    (stored,) = pipeline.store.files()
    assert stored.stat is not None
    assert stored.stat.mtime_ns == changed


@pytest.mark.parametrize("age_s", [0.0, 1.5, -3600.0], ids=["now", "just now", "in the future"])
def test_a_file_that_has_just_changed_is_not_trusted(age_s: float, pipeline: Pipeline, sounds: Path):
    """A coarse clock may give a second change the same time."""
    low, high = sounds / "low" / "low.wav", (sounds / "high" / "high.wav").read_bytes()
    set_age(low, age_s)
    index(pipeline, low)
    assert [file.stat for file in pipeline.store.files()] == [None]
    swap_content(low, high)

    assert index(pipeline, low)[0].outcome == "replaced"


def test_a_file_that_changes_while_it_is_read_is_not_trusted(pipeline: Pipeline, sounds: Path):
    low = sounds / "low" / "low.wav"
    set_age(low, 100)

    index(with_decoding(pipeline, Watching(before=lambda path: set_age(path, 50))), low)
    assert [file.stat for file in pipeline.store.files()] == [None]


@pytest.mark.parametrize(
    "wanted", [{"label": "hum"}, {"tags": {"n": 1}}, {"recorded_at": NOON}], ids=str
)
def test_an_unchanged_file_is_updated(wanted: dict[str, Any], pipeline: Pipeline, sounds: Path):
    low = sounds / "low" / "low.wav"
    set_age(low, 100)
    index(pipeline, low)

    item = IndexItem(str(low), **wanted)
    assert [result.outcome for result in pipeline.index([item])] == ["updated"]
    assert [result.outcome for result in pipeline.index([item])] == ["unchanged"]


def test_unchanged_files_cost_one_question_a_page(
    pipeline: Pipeline, tmp_path: Path, tone: Tone, write_wav: WriteWav, monkeypatch: pytest.MonkeyPatch
):
    path = write_wav(tmp_path / "a.wav", tone(200, 0.5))
    paths = [path, *(tmp_path / f"{n}.wav" for n in range(20))]
    for copy in paths[1:]:
        os.link(path, copy)
    set_age(path, 100)
    index(pipeline, *paths)
    asked: list[str] = []
    for name in ("known_files", "link", "add", "known_lengths"):
        method = getattr(pipeline.store, name)

        def counted(*arguments: Any, name: str = name, method: Any = method, **named: Any) -> Any:
            asked.append(name)
            return method(*arguments, **named)

        monkeypatch.setattr(pipeline.store, name, counted)

    assert {result.outcome for result in index(pipeline, *paths)} == {"unchanged"}
    assert asked == ["known_files"]


def test_an_index_of_other_windows_is_refused_though_nothing_has_changed(
    pipeline: Pipeline, sounds: Path
):
    low = sounds / "low" / "low.wav"
    set_age(low, 100)
    index(pipeline, low)
    other = Pipeline(pipeline.store, Modulation(), WindowPlan(2.0, 0.5))
    with pytest.raises(ModelMismatch):
        index(other, low)


def test_same_audio_twice_in_a_batch(pipeline: Pipeline, sounds: Path):
    low = sounds / "low" / "low.wav"
    copy = sounds / "copy.wav"
    copy.write_bytes(low.read_bytes())
    assert [result.outcome for result in index(pipeline, low, copy, low)] == [
        "added",
        "linked",
        "unchanged",
    ]
    status = pipeline.store.status()
    assert (status.recordings, status.files, status.windows) == (1, 2, 3)


def test_label_is_the_folder_unless_given(pipeline: Pipeline, sounds: Path):
    low = str(sounds / "low" / "low.wav")
    for label, expected in ((None, "low"), ("hum", "hum"), ("", "")):
        list(pipeline.index([IndexItem(low, label, {"site": "pond"})]))
        (match,) = pipeline.search(low).matches
        assert match.recording.label == expected
        assert match.recording.tags == {"site": "pond"}


def test_exclude_self_knows_the_content(pipeline: Pipeline, sounds: Path):
    index(pipeline, *every_sound(sounds))
    copy = sounds / "copy.wav"
    copy.write_bytes((sounds / "low" / "low.wav").read_bytes())
    assert pipeline.search(copy).matches[0].score == pytest.approx(1.0, abs=1e-5)
    labels = [match.recording.label for match in pipeline.search(copy, exclude_self=True).matches]
    assert sorted(str(label) for label in labels) == ["beep", "high"]


def test_filters_top_k_and_min_score(pipeline: Pipeline, sounds: Path):
    index(pipeline, *every_sound(sounds))
    low = sounds / "low" / "low.wav"
    assert len(pipeline.search(low, top_k=1).matches) == 1
    only = pipeline.search(low, filters=Filters(labels=("high",))).matches
    assert [match.recording.label for match in only] == ["high"]
    assert len(pipeline.search(low, min_score=0.99).matches) == 1


def test_a_sound_of_which_the_encoder_makes_nothing_is_told_of(
    sounds: Path, monkeypatch: pytest.MonkeyPatch
):
    deaf = Modulation()
    monkeypatch.setattr(deaf, "embed_patches", lambda patches: np.zeros((len(patches), 128), np.float32))
    pipeline = Pipeline(MemoryStore(), deaf, WindowPlan(1.0, 0.5))
    (result,) = index(pipeline, sounds / "low" / "low.wav")
    assert (result.outcome, result.n_searchable) == ("added", 0)
    assert result.warnings == (
        "zero: the embeddings of all windows are zero, and no search can find them",
    )
    assert pipeline.store.status().unsearchable == 1


def test_silent_query(pipeline: Pipeline, sounds: Path, write_wav: WriteWav):
    index(pipeline, *every_sound(sounds))
    silent = write_wav(sounds / "silent.wav", np.full(2 * RATE, 0.1, np.float32))
    with pytest.raises(SilentQuery, match="nothing to look for"):
        pipeline.search(silent)


def test_search_in_an_empty_index(pipeline: Pipeline, sounds: Path):
    with pytest.raises(IndexEmpty):
        pipeline.search(sounds / "low" / "low.wav")


def test_errors_of_the_query(pipeline: Pipeline, tmp_path: Path, write_wav: WriteWav):
    with pytest.raises(AudioNotFound):
        pipeline.search(tmp_path / "gone.wav")
    with pytest.raises(AudioTooShort):
        pipeline.search(write_wav(tmp_path / "short.wav", np.zeros(100, np.float32)))


def test_embed(pipeline: Pipeline, sounds: Path):
    segments, embeddings = pipeline.embed(sounds / "beep" / "beep.wav")
    assert embeddings.shape == (11, 128)
    assert len(segments.windows) == 11


def test_embed_searchable_leaves_out_silent_windows(sounds: Path, write_wav: WriteWav):
    plan = WindowPlan(1.0, 1.0)
    assert embed_searchable(sounds / "beep" / "beep.wav", Modulation(), plan)[1].shape == (1, 128)
    silent = write_wav(sounds / "silent.wav", np.zeros(2 * RATE, np.float32))
    assert embed_searchable(silent, Modulation(), plan)[1].shape == (0, 128)


def start_of(pipeline: Pipeline, path: Path) -> tuple[datetime | None, str | None]:
    (found,) = [file for file in pipeline.store.files() if file.uri == str(path)]
    return found.recorded_at, found.recorded_at_source


def changed_at(path: Path, at: datetime) -> Path:
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


CHANGED = datetime(2024, 7, 1, 12, 0, tzinfo=UTC)


def test_the_start_comes_from_the_name(pipeline: Pipeline, sounds: Path):
    pipeline.start_rules = StartTimeRules.described("Europe/Berlin")
    named = (sounds / "low" / "low.wav").rename(sounds / "20250501_063000.wav")
    index(pipeline, named)
    assert start_of(pipeline, named) == (datetime(2025, 5, 1, 4, 30, tzinfo=UTC), "filename")


def test_from_the_last_change_the_length_is_taken_away(pipeline: Pipeline, sounds: Path):
    beep = changed_at(sounds / "beep" / "beep.wav", CHANGED)
    index(pipeline, beep)
    assert start_of(pipeline, beep) == (CHANGED - timedelta(seconds=6), "mtime")
    assert [result.outcome for result in index(pipeline, beep)] == ["unchanged"]
    assert start_of(pipeline, beep) == (CHANGED - timedelta(seconds=6), "mtime")


def test_a_start_that_was_given_is_taken_as_it_is(pipeline: Pipeline, sounds: Path):
    low = changed_at(sounds / "low" / "low.wav", CHANGED)
    given = datetime(2020, 2, 29, 23, 59, tzinfo=UTC)
    list(pipeline.index([IndexItem(str(low), recorded_at=given)]))
    assert start_of(pipeline, low) == (given, "given")
    # Also where it was found out from the last change, when it was indexed before.
    high = changed_at(sounds / "high" / "high.wav", CHANGED)
    list(pipeline.index([IndexItem(str(high), recorded_at=given, recorded_at_source="mtime")]))
    assert start_of(pipeline, high) == (given, "mtime")


def test_copies_do_not_change_the_start(pipeline: Pipeline, sounds: Path):
    low = changed_at(sounds / "low" / "low.wav", CHANGED)
    index(pipeline, low)
    copy = sounds / "copy.wav"
    copy.write_bytes(low.read_bytes())
    changed_at(copy, CHANGED + timedelta(days=30))
    for _ in range(2):
        assert {result.outcome for result in index(pipeline, copy, low)} <= {"linked", "unchanged"}
        assert start_of(pipeline, low) == (CHANGED - timedelta(seconds=2), "mtime")
    # A name says more than the time of a last change; another name does not say more than a name.
    for name, outcome in (("20250501_063000", "linked"), ("20250601_063000", "linked")):
        named = sounds / f"{name}.wav"
        named.write_bytes(low.read_bytes())
        assert [result.outcome for result in index(pipeline, named)] == [outcome]
        assert start_of(pipeline, low) == (datetime(2025, 5, 1, 6, 30, tzinfo=UTC), "filename")


def test_what_was_indexed_without_a_start_gets_one(pipeline: Pipeline, sounds: Path):
    low = changed_at(sounds / "low" / "low.wav", CHANGED)
    segments, embeddings = pipeline.embed(low)
    recording = Recording(recording_id_of(low), str(low), 2.0, "low")
    pipeline.store.add(recording, segments.windows, embeddings, pipeline.spec)
    assert pipeline.store.status().starts == {"unknown": 1}
    assert [result.outcome for result in index(pipeline, low)] == ["updated"]
    assert start_of(pipeline, low) == (CHANGED - timedelta(seconds=2), "mtime")
    assert pipeline.store.status().starts == {"mtime": 1}
