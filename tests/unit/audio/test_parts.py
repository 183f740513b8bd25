"""Parts of a recording are the same samples as in the whole, and little else is decoded."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from soundalike.audio import decoders
from soundalike.audio.excerpt import Excerpt
from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.pictures import write_cut_out
from soundalike.audio.segmenter import segment
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.embedding import CutRecording, embed_windows
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioTooShort, ParameterError
from soundalike.types import FloatArray

RATE = 44_100
SECONDS = 12
PLAN = WindowPlan(4.0, 2.0)
#: Samples at 16 kHz that the resampler makes of what is beyond a cut.
EDGE = 400


@pytest.fixture(scope="module")
def sweep() -> FloatArray:
    time_s = np.arange(SECONDS * RATE) / RATE
    return (0.4 * np.sin(2 * np.pi * (200 + 60 * time_s) * time_s)).astype(np.float32)


@pytest.fixture
def sound(sweep: FloatArray, tmp_path: Path, encode: Callable[..., Path]) -> Callable[[str], Path]:
    """Write the sweep as ``FORMAT/SUBTYPE`` of libsndfile or ``codec in container`` of FFmpeg."""

    def write(kind: str) -> Path:
        path = tmp_path / "sound"
        if " in " in kind:
            return encode(path, sweep, RATE, *kind.split(" in "))
        container, subtype = kind.split("/")
        with soundfile.SoundFile(path, "w", RATE, 1, format=container, subtype=subtype) as file:
            for begin in range(0, len(sweep), 4096):
                file.write(sweep[begin : begin + 4096])
        return path

    return write


@pytest.mark.parametrize(
    "kind",
    [
        *("WAV/PCM_16", "FLAC/PCM_16", "OGG/VORBIS", "MP3/MPEG_LAYER_III"),
        *("aac in mp4", "aac in adts", "ac3 in ac3", "libmp3lame in mp3"),
    ],
)
@pytest.mark.parametrize(("start_s", "end_s"), [(0.5, 2.0), (6.0, 10.0), (10.5, 20.0)])
def test_a_part_has_the_samples_of_the_whole(
    sound: Callable[[str], Path], kind: str, start_s: float, end_s: float
):
    path = sound(kind)
    whole = load_audio(path)
    part = load_audio(path, Part(start_s, end_s))

    wanted = whole.samples[round(start_s * 16_000) : round(end_s * 16_000)]
    assert len(part.samples) == pytest.approx(len(wanted), abs=1)
    assert part.duration_s == len(part.samples) / 16_000
    inner = slice(EDGE, min(len(part.samples), len(wanted)) - EDGE)
    np.testing.assert_allclose(part.samples[inner], wanted[inner], atol=1e-3)
    assert part.warnings == ()


@pytest.mark.parametrize("kind", ["WAV/PCM_16", "MP3/MPEG_LAYER_III", "aac in mp4"])
def test_what_is_before_and_behind_a_part_is_not_decoded(
    sound: Callable[[str], Path], kind: str, monkeypatch: pytest.MonkeyPatch
):
    frames = 0

    def counted(opened: Any) -> Any:
        def open_stream(*arguments: Any) -> Any:
            stream = opened(*arguments)
            blocks = stream.blocks

            def counting() -> Any:
                nonlocal frames
                for block in blocks:
                    frames += len(block)
                    yield block

            stream.blocks = counting()
            return stream

        return open_stream

    openers = tuple(counted(opened) for opened in decoders.DECODERS)
    monkeypatch.setattr("soundalike.audio.parts.DECODERS", openers)
    load_audio(sound(kind), Part(8.0, 9.0))
    # The part, the second of run-up, and what is left of two blocks.
    assert frames < 2.5 * RATE + 2 * decoders.BLOCK_FRAMES


@pytest.mark.parametrize("kind", ["WAV/PCM_16", "MP3/MPEG_LAYER_III", "aac in mp4", "aac in adts"])
def test_a_part_behind_the_end_is_refused(sound: Callable[[str], Path], kind: str):
    path = sound(kind)
    with pytest.raises(ParameterError, match="nothing at 15 s: the recording ends at 12"):
        load_audio(path, Part(15.0))
    with pytest.raises(ParameterError, match="nothing at 15 s"):
        segment(path, PLAN, Excerpt(at_s=15.0))
    with pytest.raises(ParameterError, match="nothing at 100 s: the recording ends at 12"):
        segment(path, PLAN, Excerpt(at_s=100.0))
    with pytest.raises(ParameterError, match=r"nothing at 12\.5 s: the recording ends at 12"):
        segment(path, PLAN, Excerpt(at_s=12.5))


def test_a_slice_is_cut_into_windows_of_its_own(sound: Callable[[str], Path]):
    cut = segment(sound("WAV/PCM_16"), PLAN, Excerpt(start_s=3.5, end_s=9.5))

    assert [(window.start_s, window.end_s) for window in cut.windows] == [(3.5, 7.5), (5.5, 9.5)]
    assert (cut.duration_s, cut.offset_s) == (6.0, 3.5)


@pytest.mark.parametrize(
    ("at_s", "begins_s"), [(0.0, 0.0), (1.0, 0.0), (5.3, 3.3), (11.0, 8.0), (12.0, 8.0)]
)
def test_the_window_around_a_moment_lies_in_the_recording(
    sound: Callable[[str], Path], at_s: float, begins_s: float
):
    (window,) = segment(sound("WAV/PCM_16"), PLAN, Excerpt(at_s=at_s)).windows

    assert (window.start_s, window.end_s) == pytest.approx((begins_s, begins_s + 4))


def test_a_moment_in_a_recording_that_is_shorter_than_a_window(
    write_wav: Callable[..., Path], tmp_path: Path, tone: Callable[..., FloatArray]
):
    path = write_wav(tmp_path / "short.wav", tone(300, 1.5))
    cut = segment(path, PLAN, Excerpt(at_s=1.0))

    assert [(window.start_s, window.end_s) for window in cut.windows] == [(0.0, 1.5)]
    assert len(cut.samples) == PLAN.window_samples
    with pytest.raises(AudioTooShort):
        segment(path, PLAN, Excerpt(start_s=1.49))


def test_a_part_has_the_embeddings_of_the_same_windows(sound: Callable[[str], Path]):
    path = sound("MP3/MPEG_LAYER_III")
    encoder = Modulation()

    def embedded(excerpt: Excerpt) -> FloatArray:
        cut = segment(path, PLAN, excerpt)
        recording = CutRecording(cut.samples, cut.windows, cut.offset_s)
        return embed_windows([recording], encoder, PLAN)[0]

    whole = embedded(Excerpt())
    part = embedded(Excerpt(start_s=4.0, end_s=8.0))
    around = embedded(Excerpt(at_s=6.0))
    assert part[0] @ whole[2] > 0.999
    np.testing.assert_allclose(part, around, atol=1e-3)


def test_a_part_of_a_truncated_recording_is_whole_where_it_lies_before_the_end(
    sound: Callable[[str], Path],
):
    content = sound("WAV/PCM_16").read_bytes()[: 8 * 2 * RATE]

    assert load_audio(content, Part(2.0, 4.0)).warnings == ()
    assert "truncated" in load_audio(content, Part(2.0)).warnings[0]


@pytest.mark.parametrize("kind", ["WAV/PCM_16", "MP3/MPEG_LAYER_III", "aac in mp4", "aac in adts"])
def test_the_file_of_a_part_is_closed_at_once(sound: Callable[[str], Path], kind: str):
    path = sound(kind)
    gc.disable()
    try:
        load_audio(path, Part(2.0, 3.0))
        opened = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    finally:
        gc.enable()
    assert str(path) not in opened


@pytest.mark.parametrize("breaks_off", [True, False])
def test_what_is_written_is_what_the_best_decoder_gave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, breaks_off: bool
):
    """The second decoder, which is asked because the first one has doubts, comes less far."""

    def blocks(count: int, *, breaks_off: bool) -> Iterator[np.ndarray]:
        yield from np.zeros((count, RATE, 1), np.float32)
        if breaks_off:
            raise decoders.DecodeError("it breaks off")

    def open_with_first(*_: Any) -> decoders.AudioStream:
        found = blocks(3, breaks_off=False)
        return decoders.AudioStream("first", RATE, None, found, doubt=lambda: "bytes are left")

    def open_with_second(*_: Any) -> decoders.AudioStream:
        return decoders.AudioStream("second", RATE, None, blocks(1, breaks_off=breaks_off))

    monkeypatch.setattr("soundalike.audio.parts.DECODERS", (open_with_first, open_with_second))
    target = tmp_path / "cut.wav"
    write_cut_out(b"any", target, Excerpt(0.0, 60.0))
    assert soundfile.info(target).duration == 3.0
