"""Cut-outs have the sound of the file, safe names, and a table with what could not be cut."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from soundalike.audio.cut_outs import write_cut_out_as
from soundalike.audio.sources import recording_id_of
from soundalike.errors import AudioNotFound, ParameterError
from soundalike.results.cut_outs import (
    MANIFEST,
    CutOutRequest,
    CutOutResult,
    file_name,
    file_of,
    opened_folder,
    opened_zip,
    write_cut_outs,
)
from soundalike.results.spans import Span
from soundalike.types import FileStat

WriteWav = Callable[..., Path]


class Direct:
    """Decodes in this process."""

    def run(self, function: Callable[..., Any], source: Path, *arguments: Any, **keywords: Any) -> Any:
        """Call the function."""
        return function(source, *arguments, **keywords)


@pytest.fixture
def night(tmp_path: Path, write_wav: WriteWav, rng: np.random.Generator) -> Path:
    """Write two channels of 24 bits at 32 kHz, 4 s."""
    samples = rng.uniform(-0.9, 0.9, (4 * 32_000, 2))
    return write_wav(tmp_path / "night" / "owl: 1?.wav", samples, 32_000, "PCM_24")


def span(path: Path, start_s: float = 1.0, end_s: float = 2.0, **more: Any) -> Span:
    return Span(str(path), more.pop("recording_id", recording_id_of(path)), start_s, end_s, **more)


def cut(spans: list[Span], folder: Path, request: CutOutRequest | None = None) -> list[CutOutResult]:
    with opened_folder(folder) as target:
        return list(
            write_cut_outs(
                spans,
                target,
                request or CutOutRequest(),
                Direct(),  # type: ignore[arg-type]
                lambda one: file_of(one, lambda _: None),
            )
        )


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / MANIFEST).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("audio", ["wav", "flac"])
def test_the_samples_are_those_of_the_file(night: Path, tmp_path: Path, audio: Any):
    target = tmp_path / f"cut.{audio}"
    form = write_cut_out_as(night, target, start_s=1.0, end_s=2.5, audio=audio)
    assert form == (32_000, 2, 48_000)
    info = soundfile.info(target)
    assert (info.samplerate, info.channels, info.subtype) == (32_000, 2, "PCM_24")
    whole, _ = soundfile.read(night, dtype="int32")
    part, _ = soundfile.read(target, dtype="int32")
    assert np.array_equal(part, whole[32_000:80_000])


@pytest.mark.parametrize(
    ("subtype", "audio", "expected"),
    [
        ("PCM_U8", "wav", "PCM_U8"),
        ("PCM_16", "wav", "PCM_16"),
        ("FLOAT", "wav", "FLOAT"),
        ("DOUBLE", "wav", "DOUBLE"),
        ("ULAW", "wav", "FLOAT"),
        ("PCM_U8", "flac", "PCM_16"),
        ("PCM_32", "flac", "PCM_24"),
        ("FLOAT", "flac", "PCM_24"),
    ],
)
def test_the_sample_format_is_kept_as_far_as_the_target_has_it(
    tmp_path: Path, write_wav: WriteWav, subtype: str, audio: Any, expected: str
):
    tone = 0.5 * np.sin(np.arange(16_000) / 5)
    path = write_wav(tmp_path / "tone.wav", tone, subtype=subtype)
    target = tmp_path / f"cut.{audio}"
    write_cut_out_as(path, target, start_s=0.25, end_s=0.5, audio=audio)
    assert soundfile.info(target).subtype == expected
    whole, _ = soundfile.read(path)
    part, _ = soundfile.read(target)
    assert np.abs(part - whole[4000:8000]).max() < 1e-4


def test_other_formats_are_decoded_to_one_channel(tmp_path: Path, rng: np.random.Generator):
    path = tmp_path / "tone.mp3"
    soundfile.write(path, 0.1 * rng.standard_normal((3 * 44_100, 2)), 44_100, format="MP3")
    form = write_cut_out_as(path, tmp_path / "cut.wav", start_s=1.0, end_s=2.0)
    assert (form.sample_rate_hz, form.channels) == (44_100, 1)
    assert soundfile.info(tmp_path / "cut.wav").frames == pytest.approx(44_100, abs=1)


def test_float_samples_beyond_full_scale_are_clipped_in_flac(tmp_path: Path, write_wav: WriteWav):
    path = write_wav(tmp_path / "loud.wav", np.full(16_000, 1.5))
    write_cut_out_as(path, tmp_path / "cut.flac", start_s=0.0, end_s=0.5, audio="flac")
    samples, _ = soundfile.read(tmp_path / "cut.flac")
    assert samples.min() > 0.99


def test_a_part_past_the_end_or_of_hours_is_refused(night: Path, tmp_path: Path):
    with pytest.raises(ParameterError, match="ends"):
        write_cut_out_as(night, tmp_path / "cut.wav", start_s=9.0, end_s=10.0)
    with pytest.raises(ParameterError, match="longer than"):
        write_cut_out_as(night, tmp_path / "cut.wav", start_s=0.0, end_s=3601.0)


def test_names_sort_by_rank_and_have_label_file_and_second(night: Path):
    named = span(night, 123.4504, 124.0, label="CON/../tit: ♂\n", rank=3)
    assert file_name(3, named, "wav") == "0003_CON-tit_owl-1_00123.450s.wav"
    long = span(night, label="🦉ü" * 200)
    assert len(file_name(1, long, "flac").encode()) < 180


def test_a_folder_has_each_cut_out_and_the_table(night: Path, tmp_path: Path):
    spans = [span(night, label="=owl", score=0.5, rank=1), span(night, 3.5, 4.0, duration_s=4.0)]
    results = cut(spans, tmp_path / "cut", CutOutRequest(padding_s=0.25, pictures=True))
    assert [result.reason for result in results] == [None, None]
    first, second = (result.name for result in results)
    assert sorted(os.listdir(tmp_path / "cut")) == sorted(
        [first, second, first.replace(".wav", ".png"), second.replace(".wav", ".png"), MANIFEST]
    )
    assert soundfile.info(tmp_path / "cut" / first).duration == 1.5
    # The padding ends with the recording.
    assert soundfile.info(tmp_path / "cut" / second).duration == 0.75
    rows = manifest(tmp_path / "cut")
    assert [row["file"] for row in rows] == [first, second]
    assert [row["cut_end_s"] for row in rows] == ["2.25", "4.0"]
    assert (rows[0]["label"], rows[0]["cut_start_s"], rows[0]["channels"]) == ("'=owl", "0.75", "2")


def test_a_missing_or_changed_file_is_listed_and_the_rest_goes_on(night: Path, tmp_path: Path):
    gone = Span(str(tmp_path / "gone.wav"), "1", 0.0, 1.0)
    changed = span(night, recording_id="00000000-0000-0000-0000-000000000000")
    upload = Span("upload:1", "1", 0.0, 1.0)
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    results = cut([gone, changed, upload, span(text), span(night)], tmp_path / "cut")
    reasons = [result.reason or "" for result in results]
    assert "No such file" in reasons[0]
    assert "has changed since it was indexed" in reasons[1]
    assert "is not a file" in reasons[2]
    assert "[audio.unreadable]" in reasons[3]
    assert reasons[4] == ""
    rows = manifest(tmp_path / "cut")
    assert [row["reason"] for row in rows] == reasons
    assert [bool(row["file"]) for row in rows] == [False] * 4 + [True]
    assert len(os.listdir(tmp_path / "cut")) == 2


def test_the_stored_size_and_time_spare_reading_the_file(night: Path):
    stat = night.stat()
    changed = span(night, recording_id="another")
    assert file_of(changed, lambda _: FileStat(stat.st_size, stat.st_mtime_ns)) == night
    with pytest.raises(AudioNotFound, match="has changed"):
        file_of(changed, lambda _: FileStat(stat.st_size, stat.st_mtime_ns + 1))


def test_a_second_run_keeps_complete_cut_outs(night: Path, tmp_path: Path):
    spans = [span(night), span(night, 2.0, 3.0), span(night, 0.0, 0.5)]
    first = cut(spans[:2], tmp_path / "cut")
    kept = tmp_path / "cut" / first[0].name
    kept_at = kept.stat().st_mtime_ns
    # One that was damaged, and other bounds, are cut again.
    (tmp_path / "cut" / first[1].name).write_bytes(b"RIFF")
    second = cut(spans, tmp_path / "cut")
    assert [result.is_kept for result in second] == [True, False, False]
    assert kept.stat().st_mtime_ns == kept_at
    assert soundfile.info(tmp_path / "cut" / first[1].name).duration == 1.0
    third = cut(spans, tmp_path / "cut", CutOutRequest(padding_s=0.5))
    assert not any(result.is_kept for result in third)
    # Without the recording, complete cut-outs stay.
    night.unlink()
    assert [result.reason for result in cut(spans, tmp_path / "cut", CutOutRequest(padding_s=0.5))] == [
        None,
        None,
        None,
    ]


def test_the_limit_of_size_ends_with_a_sentence(night: Path, tmp_path: Path):
    spans = [span(night), span(night, 2.0, 3.0), span(night, 0.0, 0.1)]
    results = cut(spans, tmp_path / "cut", CutOutRequest(max_bytes=200_000))
    limit = "the limit of 200000 bytes is reached"
    assert [result.reason for result in results] == [None, limit, limit]
    assert sorted(os.listdir(tmp_path / "cut")) == sorted([results[0].name, MANIFEST])


def test_a_zip_has_the_same_and_no_traces_are_left(night: Path, tmp_path: Path):
    content = io.BytesIO()
    (tmp_path / "scratch").mkdir()
    with opened_zip(content, tmp_path / "scratch") as target:
        results = list(
            write_cut_outs(
                [span(night), span(night, 2.0, 3.0)],
                target,
                CutOutRequest(audio="flac"),
                Direct(),  # type: ignore[arg-type]
                lambda one: file_of(one, lambda _: None),
            )
        )
    with zipfile.ZipFile(content) as archive:
        assert archive.namelist() == [*(result.name for result in results), MANIFEST]
        assert archive.testzip() is None
        with archive.open(results[0].name) as file:
            assert soundfile.info(io.BytesIO(file.read())).frames == 32_000
    assert os.listdir(tmp_path / "scratch") == []


@pytest.mark.parametrize(
    "given", [{"padding_s": -1}, {"padding_s": float("nan")}, {"audio": "mp3"}, {"max_bytes": 0}]
)
def test_values_out_of_range_are_refused(given: Any):
    with pytest.raises(ParameterError):
        CutOutRequest(**given)
