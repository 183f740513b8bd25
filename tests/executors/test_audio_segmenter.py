"""AudioSegmenter: paths and uploads to windows; a bad document comes back marked, the rest is done."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docarray import DocList

from executors.messages.documents import Clip, SegmentedClip
from soundalike.audio.sources import recording_id_of
from soundalike.errors import ParameterError

Load = Callable[..., Any]
Write = Callable[..., Path]


def _times(doc: SegmentedClip) -> list[tuple[float, float]]:
    return [(chunk.start_s, chunk.end_s) for chunk in doc.chunks]


def _clips(*clips: Clip) -> DocList[Clip]:
    return DocList[Clip](clips)


def test_ten_seconds_give_exactly_four_windows(load_executor: Load, tone_file: Write):
    path = tone_file("dog/bark.wav")
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(uri=str(path))))

    assert _times(doc) == [(0, 4), (2, 6), (4, 8), (6, 10)]
    assert [chunk.index for chunk in doc.chunks] == [0, 1, 2, 3]
    assert (doc.window_s, doc.stride_s, doc.duration_s) == (4.0, 2.0, 10.0)
    assert (doc.error_code, doc.error, doc.warnings) == (None, None, [])


def test_the_samples_travel_once_for_all_windows(load_executor: Load, tone_file: Write):
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(uri=str(tone_file()))))

    assert doc.samples.dtype == np.float32
    assert doc.samples.shape == (160_000,)
    assert all(chunk.embedding is None for chunk in doc.chunks)


def test_what_is_known_of_a_file_comes_along(load_executor: Load, tone_file: Write):
    path = tone_file("dog/bark.wav")
    tags = {"site": "pond", "deep": {"n": [1, 2.5, None]}}
    clip = Clip(id="mine", uri=str(path), tags=tags, recorded_at="2025-05-01T06:30:00+02:00")
    (doc,) = load_executor("audio_segmenter").segment(_clips(clip))

    assert (doc.id, doc.uri, doc.label) == ("mine", str(path), "dog")
    assert (doc.tags, doc.recorded_at) == (tags, "2025-05-01T06:30:00+02:00")
    assert doc.recording_id == recording_id_of(path)


@pytest.mark.parametrize("label", ["cat", ""])
def test_a_label_that_was_given_is_kept(load_executor: Load, tone_file: Write, label: str):
    clip = Clip(uri=str(tone_file("dog/bark.wav")), label=label)
    (doc,) = load_executor("audio_segmenter").segment(_clips(clip))

    assert doc.label == label


def test_a_relative_path_and_a_file_url_name_the_same(
    load_executor: Load, tone_file: Write, monkeypatch: pytest.MonkeyPatch
):
    path = tone_file("dog/bark loud.wav")
    monkeypatch.chdir(path.parent)
    docs = load_executor("audio_segmenter").segment(
        _clips(Clip(uri="bark loud.wav"), Clip(uri=path.as_uri()))
    )

    assert [doc.uri for doc in docs] == [str(path), str(path)]
    assert [doc.error for doc in docs] == [None, None]


def test_a_document_without_an_id_gets_one(load_executor: Load, tone_file: Write):
    """Documents that come over HTTP have none, and Jina merges by id."""
    clips = _clips(*(Clip(id=None, uri=str(tone_file())) for _ in range(2)))
    first, second = load_executor("audio_segmenter").segment(clips)

    assert first.id
    assert second.id
    assert first.id != second.id


def test_no_documents_are_no_error(load_executor: Load):
    assert len(load_executor("audio_segmenter").segment(DocList[Clip]())) == 0


@pytest.mark.parametrize(
    ("window_size", "stride", "starts"),
    [
        (2, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (1.0, 2.0, [0, 2, 4, 6, 8, 9]),
        (10, 10, [0]),
        (4, 4, [0, 4, 6]),
        ("4", "2", [0, 2, 4, 6]),
    ],
)
def test_window_size_and_stride_have_their_effect(
    load_executor: Load, tone_file: Write, window_size: Any, stride: Any, starts: list[float]
):
    segmenter = load_executor("audio_segmenter", window_size=window_size, stride=stride)
    (doc,) = segmenter.segment(_clips(Clip(uri=str(tone_file()))))

    assert _times(doc) == [(start, start + float(window_size)) for start in starts]
    assert (doc.window_s, doc.stride_s) == (float(window_size), float(stride))


@pytest.mark.parametrize("parameters", [{"window_size": 0.5}, {"stride": 0}, {"window_size": -4}])
def test_windows_that_make_no_sense_are_refused_at_the_start(
    load_executor: Load, parameters: dict[str, float]
):
    with pytest.raises(ParameterError, match=next(iter(parameters))):
        load_executor("audio_segmenter", **parameters)


def test_a_short_clip_is_one_padded_window(load_executor: Load, tone_file: Write):
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(uri=str(tone_file(duration_s=1.5)))))

    assert _times(doc) == [(0.0, 1.5)]
    assert doc.samples.shape == (64_000,)
    assert doc.duration_s == 1.5


def test_silence_is_marked_by_window(load_executor: Load, write_wav: Write, tmp_path: Path):
    samples = np.zeros(160_000, dtype=np.float32)
    samples[:32_000] = 0.1 * np.sin(np.arange(32_000) / 5)
    path = write_wav(tmp_path / "half.wav", samples)
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(uri=str(path))))

    assert [chunk.is_silent for chunk in doc.chunks] == [False, True, True, True]


def _upload(path: Path, **known: Any) -> Clip:
    return Clip(audio_base64=base64.b64encode(path.read_bytes()).decode(), **known)


def test_an_upload_gives_what_its_file_gives(load_executor: Load, tone_file: Write):
    path = tone_file("dog/bark.wav")
    by_path, by_upload = load_executor("audio_segmenter").segment(
        _clips(Clip(uri=str(path)), _upload(path))
    )

    assert by_upload.recording_id == by_path.recording_id
    assert _times(by_upload) == _times(by_path)
    np.testing.assert_array_equal(by_upload.samples, by_path.samples)
    assert by_upload.uri == f"upload:{by_path.recording_id}"
    assert by_upload.label is None


def test_an_upload_keeps_the_name_that_it_came_with(load_executor: Load, tone_file: Write):
    clip = _upload(tone_file(), uri="my phone/bark.wav", label="dog")
    (doc,) = load_executor("audio_segmenter").segment(_clips(clip))

    assert (doc.uri, doc.label, doc.error) == ("my phone/bark.wav", "dog", None)


@pytest.fixture
def bad_clips(
    tmp_path: Path, write_wav: Write, tone_file: Write, rng: np.random.Generator
) -> dict[str, Clip]:
    """Documents that cannot be used, by the code of their error."""
    empty, text = tmp_path / "empty.wav", tmp_path / "text.wav"
    empty.touch()
    text.write_text("this is no sound\n" * 100)
    holed = rng.standard_normal(16_000).astype(np.float32)
    holed[8_000] = np.nan
    return {
        "audio.not_found": Clip(uri=str(tmp_path / "missing.wav")),
        "audio.empty": Clip(uri=str(empty)),
        "audio.unreadable": Clip(uri=str(text)),
        "audio.invalid_samples": Clip(uri=str(write_wav(tmp_path / "nan.wav", holed))),
        "audio.too_short": Clip(uri=str(write_wav(tmp_path / "blip.wav", np.ones(100) / 2))),
        "parameter.invalid": Clip(),
    }


OTHER_BAD_CLIPS = {
    "a folder": ({"uri": "/"}, "audio.not_found"),
    "a device": ({"uri": "/dev/zero"}, "audio.not_found"),
    "an address": ({"uri": "http://127.0.0.1:1/a.wav"}, "audio.not_allowed"),
    "a name with NUL": ({"uri": "a\x00b.wav"}, "audio.not_found"),
    "a name that is too long": ({"uri": "a" * 5000}, "audio.not_found"),
    "no base64": ({"audio_base64": "*** no base64 ***"}, "audio.unreadable"),
    "base64 beyond ASCII": ({"audio_base64": "ü" * 8}, "audio.unreadable"),
    "base64 of no sound": ({"audio_base64": "aGVsbG8gd29ybGQ="}, "audio.unreadable"),
    "both empty": ({"uri": "", "audio_base64": ""}, "parameter.invalid"),
}


@pytest.mark.parametrize(("fields", "code"), OTHER_BAD_CLIPS.values(), ids=OTHER_BAD_CLIPS.keys())
def test_what_is_no_sound_is_marked(load_executor: Load, fields: dict[str, str], code: str):
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(**fields)))

    assert doc.error_code == code
    assert doc.error
    assert "\n" not in doc.error


@pytest.mark.parametrize("time_text", ["yesterday", "2025-05-01T06:30:00", ""])
def test_a_start_without_zone_or_sense_is_marked(load_executor: Load, tone_file: Write, time_text: str):
    clip = Clip(uri=str(tone_file()), recorded_at=time_text)
    (doc,) = load_executor("audio_segmenter").segment(_clips(clip))

    assert doc.error_code == "parameter.invalid"
    assert "recorded_at" in doc.error


def test_bad_documents_come_back_marked_and_the_rest_is_done(
    load_executor: Load, bad_clips: dict[str, Clip], tone_file: Write
):
    good = Clip(uri=str(tone_file()))
    mixed = [clip for bad in bad_clips.values() for clip in (bad, good.model_copy(update={"id": None}))]
    docs = load_executor("audio_segmenter").segment(_clips(*mixed))

    assert [doc.error_code for doc in docs[::2]] == list(bad_clips)
    assert [doc.uri for doc in docs[::2]] == [clip.uri for clip in bad_clips.values()]
    for doc in docs[::2]:
        assert doc.error
        assert (len(doc.chunks), doc.samples, doc.spool_name) == (0, None, None)
    for doc in docs[1::2]:
        assert (doc.error_code, len(doc.chunks)) == (None, 4)


@pytest.fixture
def long_file(write_wav: Write, tmp_path: Path) -> Path:
    """Write nine minutes and a half, which as samples are more than travels in a message."""
    ramp = np.linspace(-0.5, 0.5, 570 * 16_000)
    return write_wav(tmp_path / "long" / "night.wav", ramp, subtype="PCM_16")


def test_long_audio_goes_through_the_spool(load_executor: Load, long_file: Path, tmp_path: Path):
    spool = tmp_path / "spool"
    (doc,) = load_executor("audio_segmenter", spool_dir=str(spool)).segment(
        _clips(Clip(uri=str(long_file)))
    )

    assert doc.samples is None
    assert [path.name for path in spool.iterdir()] == [doc.spool_name]
    samples = np.fromfile(spool / doc.spool_name, dtype=np.float32)
    assert samples.shape == (570 * 16_000,)
    assert samples[0] == pytest.approx(-0.5, abs=1e-4)
    assert samples[-1] == pytest.approx(0.5, abs=1e-4)
    assert _times(doc)[-1] == (566.0, 570.0)
    assert len(doc.chunks) == 284


def test_what_is_too_much_for_one_message_goes_through_the_spool(
    load_executor: Load, write_wav: Write, tmp_path: Path
):
    """Each of them is short enough by itself."""
    path = write_wav(tmp_path / "a.wav", np.linspace(-0.5, 0.5, 300 * 16_000), subtype="PCM_16")
    docs = load_executor("audio_segmenter", spool_dir=str(tmp_path / "spool")).segment(
        _clips(Clip(uri=str(path)), Clip(uri=str(path)))
    )

    assert [doc.samples is None for doc in docs] == [False, True]
    assert [doc.spool_name is None for doc in docs] == [True, False]


def test_the_spool_lies_in_the_data_folder_unless_told_otherwise(
    load_executor: Load, long_file: Path, clean_environ: Path
):
    (doc,) = load_executor("audio_segmenter").segment(_clips(Clip(uri=str(long_file))))

    assert (clean_environ / "spool" / doc.spool_name).is_file()


def test_what_nobody_took_is_removed_after_an_hour(load_executor: Load, tmp_path: Path):
    old, new = tmp_path / f"{'0' * 32}.f32", tmp_path / f"{'1' * 32}.f32"
    foreign = tmp_path / "notes.txt"
    for path in (old, new, foreign):
        path.write_bytes(b"\0" * 4)
    long_ago = time.time() - 3700
    for path in (old, foreign):
        os.utime(path, (long_ago, long_ago))
    load_executor("audio_segmenter", spool_dir=str(tmp_path))

    assert not old.exists()
    assert new.exists()
    assert foreign.exists()


def test_the_start_comes_from_the_name_in_the_executors_zone(load_executor: Load, tone_file: Write):
    segmenter = load_executor("audio_segmenter", time_zone="Europe/Berlin")
    path = tone_file("20250501_063000.wav")
    by_path, by_upload = segmenter.segment(
        _clips(Clip(uri=str(path)), _upload(path, uri="phone/20250601_063000.wav"))
    )

    assert (by_path.recorded_at, by_path.recorded_at_source) == ("2025-05-01T04:30:00+00:00", "filename")
    assert by_upload.recorded_at == "2025-06-01T04:30:00+00:00"


def test_the_last_change_is_the_end(load_executor: Load, tone_file: Write):
    path = tone_file("bark.wav", duration_s=10.0)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    by_path, by_upload = load_executor("audio_segmenter").segment(
        _clips(Clip(uri=str(path)), _upload(path))
    )

    assert (by_path.recorded_at, by_path.recorded_at_source) == ("2023-11-14T22:13:10+00:00", "mtime")
    assert (by_upload.recorded_at, by_upload.recorded_at_source) == (None, None)


def test_what_the_clip_says_of_its_start_counts(load_executor: Load, tone_file: Write):
    clip = Clip(uri=str(tone_file("20250501_063000.wav")), recorded_at="2020-02-29T00:00:00-03:00")
    (doc,) = load_executor("audio_segmenter").segment(_clips(clip))

    assert (doc.recorded_at, doc.recorded_at_source) == ("2020-02-29T00:00:00-03:00", "given")


def test_a_pattern_of_ones_own_reads_names(
    load_executor: Load, tone_file: Write, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOUNDALIKE_TIME_ZONE", "-03:00")
    segmenter = load_executor("audio_segmenter", time_pattern="%d-%m-%y at %H.%M")
    (doc,) = segmenter.segment(_clips(Clip(uri=str(tone_file("pond 01-05-25 at 06.30.wav")))))

    assert (doc.recorded_at, doc.recorded_at_source) == ("2025-05-01T09:30:00+00:00", "filename")


@pytest.mark.parametrize("parameters", [{"time_zone": "Mars/Olympus"}, {"time_pattern": "%Y"}])
def test_a_zone_or_pattern_that_is_none_is_refused_at_the_start(
    load_executor: Load, parameters: dict[str, str]
):
    with pytest.raises(ParameterError, match=r"Mars/Olympus|%Y"):
        load_executor("audio_segmenter", **parameters)


def test_only_files_in_allowed_folders_are_opened(
    load_executor: Load, tone_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inside, outside = tone_file("allowed/a.wav"), tone_file("elsewhere/b.wav")
    link = inside.with_name("link.wav")
    link.symlink_to(outside)
    monkeypatch.setenv("SOUNDALIKE_ROOTS", str(inside.parent))
    executor = load_executor("audio_segmenter")
    upload = base64.b64encode(outside.read_bytes()).decode()
    docs = executor.segment(
        _clips(
            *(Clip(uri=str(path)) for path in (inside, outside, link, tmp_path / "absent.wav")),
            Clip(uri=str(outside), audio_base64=upload),
            Clip(uri="http://127.0.0.1/a.wav"),
        )
    )

    refused = "audio.not_allowed"
    assert [doc.error_code for doc in docs] == [None, refused, refused, refused, None, refused]
    assert docs[1].error.replace("elsewhere/b", "absent") == docs[3].error
    assert len(docs[4].chunks) == 4
