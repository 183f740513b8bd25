"""From a recording to its windows: times that are right to the sample, padding, silence."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.segmenter import (
    CLIPPED_LEVEL,
    SILENCE_PEAK_TO_PEAK,
    cut_seconds,
    pad_to,
    segment,
    unsearchable_warning,
)
from soundalike.audio.windows import WindowPlan
from soundalike.errors import AudioTooShort, EmptyAudio, InvalidSamples, ParameterError, UnreadableAudio
from soundalike.types import FloatArray, Window

RATE = 16_000
PLAN = WindowPlan(4.0, 2.0)


def wav(samples: FloatArray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def ramp(n_samples: int) -> FloatArray:
    """Return samples that tell their own position, exactly."""
    return np.arange(n_samples, dtype=np.float32) / np.float32(2**23)


def position(sample: np.float32) -> int:
    return round(float(sample) * 2**23)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n_samples=st.integers(400, 400_000),
    plan=st.builds(
        WindowPlan, st.sampled_from([0.975, 1.0, 1.7, 4.0]), st.sampled_from([0.3, 2.0, 5.0])
    ),
)
def test_times_are_right_to_the_sample(n_samples: int, plan: WindowPlan):
    segments = segment(wav(ramp(n_samples)), plan)
    assert len(segments.samples) >= plan.window_samples
    for window in segments.windows:
        start, stop = round(window.start_s * RATE), round(window.end_s * RATE)
        assert (window.start_s, window.end_s) == (start / RATE, stop / RATE)
        assert position(segments.samples[start]) == start
        assert position(segments.samples[stop - 1]) == stop - 1
        assert stop - start == min(plan.window_samples, n_samples)


def test_impulses_lie_in_the_windows_whose_times_hold_them():
    samples = np.zeros(10 * RATE + 123, np.float32)
    impulses = [0, 31_999, 32_000, 63_999, 64_000, 100_001, 160_122]
    samples[impulses] = 1.0
    segments = segment(wav(samples), PLAN)
    for window in segments.windows:
        start = round(window.start_s * RATE)
        heard = np.flatnonzero(segments.samples[start : start + PLAN.window_samples]) + start
        assert heard.tolist() == [n for n in impulses if window.start_s <= n / RATE < window.end_s]


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_impulse_keeps_its_time_through_resampling(rate: int):
    samples = np.zeros(10 * rate, np.float32)
    samples[7 * rate] = 1.0
    segments = segment(wav(samples, rate), PLAN)
    assert len(segments.windows) == 4
    assert segments.duration_s == 10.0
    assert abs(int(np.argmax(np.abs(segments.samples))) - 7 * RATE) <= 1


def test_ten_seconds_give_exactly_four_windows():
    segments = segment(wav(ramp(10 * RATE)), PLAN)
    assert [(w.index, w.start_s, w.end_s) for w in segments.windows] == [
        (0, 0.0, 4.0),
        (1, 2.0, 6.0),
        (2, 4.0, 8.0),
        (3, 6.0, 10.0),
    ]


def test_ten_second_clips_of_every_format_give_four_windows(toy_data: Path):
    clips = [path for path in toy_data.glob("*/*_[1-4].*") if path.parent.name != "queries"]
    assert len(clips) == 36
    counts = {path.name: len(segment(path, PLAN).windows) for path in clips}
    assert set(counts.values()) == {4}, counts


@pytest.mark.parametrize("n_samples", [400, 401, 12_345, 63_999])
def test_short_recording_is_repeated(n_samples: int, rng: np.random.Generator):
    samples = rng.uniform(-0.5, 0.5, n_samples).astype(np.float32)
    segments = segment(wav(samples), PLAN)
    assert len(segments.samples) == PLAN.window_samples
    np.testing.assert_array_equal(segments.samples, np.resize(samples, PLAN.window_samples))
    (window,) = segments.windows
    assert (window.start_s, window.end_s) == (0.0, n_samples / RATE)
    assert segments.duration_s == n_samples / RATE
    assert not window.is_silent


def test_pad_to_copies_nothing_that_is_long_enough():
    samples = ramp(10)
    assert pad_to(samples, 10) is samples
    assert pad_to(samples, 5) is samples


@pytest.mark.parametrize("level", [0.0, 0.25, -0.7])
def test_constant_recording_is_silent(level: float):
    segments = segment(wav(np.full(10 * RATE, level, np.float32)), PLAN)
    assert [window.is_silent for window in segments.windows] == [True] * 4


@pytest.mark.parametrize(("factor", "silent"), [(0.99, True), (1.01, False)])
def test_bound_of_silence(factor: float, silent: bool, tone: Callable[..., FloatArray]):
    samples = tone(1000, 4.0, peak=factor * SILENCE_PEAK_TO_PEAK / 2)
    assert [window.is_silent for window in segment(wav(samples), PLAN).windows] == [silent]


def test_bound_of_silence_is_80_db_below_full_scale():
    assert pytest.approx(20 * np.log10(SILENCE_PEAK_TO_PEAK / 2)) == -80.0


def test_silence_is_marked_window_by_window(tone: Callable[..., FloatArray]):
    samples = np.zeros(12 * RATE, np.float32)
    samples[5 * RATE : 6 * RATE] = tone(440, 1.0)
    segments = segment(wav(samples), PLAN)
    silent = [(window.start_s, window.is_silent) for window in segments.windows]
    assert silent == [(0, True), (2, False), (4, False), (6, True), (8, True)]


def test_one_click_is_not_silence():
    samples = np.zeros(4 * RATE, np.float32)
    samples[30_000] = 0.01
    assert not segment(wav(samples), PLAN).windows[0].is_silent


@pytest.mark.parametrize("n_samples", [1, 399])
def test_too_short(n_samples: int):
    with pytest.raises(AudioTooShort, match=r"is (0\.1|24\.9) ms long; at least 25 ms"):
        segment(wav(ramp(n_samples)), PLAN)


def test_the_shortest_recording():
    assert len(segment(wav(ramp(400)), PLAN).windows) == 1


def test_the_end_is_a_second_of_the_recording():
    (window,) = segment(wav(ramp(10 * RATE)), PLAN, Excerpt(at_s=10.0)).windows
    assert (window.start_s, window.end_s) == (6.0, 10.0)
    with pytest.raises(ParameterError, match="10"):
        segment(wav(ramp(10 * RATE)), PLAN, Excerpt(at_s=10.01))


@pytest.mark.parametrize("hop_s", [0.0, 1e-5, -1.0])
def test_a_hop_is_at_least_a_sample(hop_s: float):
    with pytest.raises(ParameterError, match="example_hop_s is"):
        cut_seconds(wav(ramp(RATE)), example_hop_s=hop_s)


def test_too_short_is_judged_at_16_khz():
    with pytest.raises(AudioTooShort):
        segment(wav(ramp(1_000), 44_100), PLAN)  # 22.7 ms
    assert segment(wav(ramp(1_200), 44_100), PLAN).windows


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (wav(np.zeros(0, np.float32)), EmptyAudio),
        (wav(np.full(RATE, np.nan, np.float32)), InvalidSamples),
        (b"no sound", UnreadableAudio),
    ],
    # Not the content: soundfile writes the time of day into it.
    ids=["empty", "not a number", "text"],
)
def test_errors_of_the_decoder_pass_through(content: bytes, error: type[Exception]):
    with pytest.raises(error):
        segment(content, PLAN)


def test_warnings_of_the_decoder_pass_through(toy_data: Path):
    content = (toy_data / "rain/rain_1.mp3").read_bytes()
    segments = segment(content[: len(content) // 2], PLAN)
    assert [text.split(":")[0] for text in segments.warnings] == ["truncated"]
    assert segments.windows[-1].end_s == segments.duration_s < 6.0


def test_long_recording_is_cut_like_a_short_one(rng: np.random.Generator, tmp_path: Path):
    content = wav(rng.uniform(-0.5, 0.5, 200 * RATE).astype(np.float32))
    inline = segment(content, PLAN)
    mapped = segment(content, PLAN, inline_limit_s=5.0, spool_dir=tmp_path)
    assert mapped.windows == inline.windows
    np.testing.assert_array_equal(mapped.samples, inline.samples)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("share", "clipped"), [(0.05, False), (0.099, False), (0.1, True), (1.0, True)])
def test_a_window_of_which_a_tenth_is_at_full_scale_is_clipped(
    share: float, clipped: bool, tmp_path: Path, write_wav: Callable[..., Path]
):
    samples = np.full(64_000, 0.5, np.float32)
    samples[: round(share * 64_000)] = 1.0
    samples[1::2] *= -1
    (window,) = segment(write_wav(tmp_path / "a.wav", samples), WindowPlan()).windows
    assert (window.is_clipped, window.quality) == (clipped, "clipped" if clipped else "ok")


@pytest.mark.parametrize(("below", "quality"), [(0, "clipped"), (1e-6, "ok")])
def test_the_level_of_clipping_counts_itself(below: float, quality: str):
    samples = np.full(64_000, CLIPPED_LEVEL - below, np.float32)
    samples[::2] *= -1
    (window,) = segment(wav(samples), PLAN).windows
    assert window.quality == quality


def test_the_bound_of_silence_counts_as_sound():
    samples = np.zeros(64_000, np.float32)
    # The smallest number of 32 bits that is not below the bound.
    bound = np.float32(SILENCE_PEAK_TO_PEAK)
    samples[100] = bound if bound >= SILENCE_PEAK_TO_PEAK else np.nextafter(bound, np.float32(1))
    assert segment(wav(samples), PLAN).windows[0].quality == "ok"


def test_silence_at_full_scale_is_silence(tmp_path: Path, write_wav: Callable[..., Path]):
    """A constant, as a broken converter gives it."""
    path = write_wav(tmp_path / "a.wav", np.ones(64_000, np.float32))
    (window,) = segment(path, WindowPlan()).windows
    assert window.quality == "silent"


# What no search finds.

HUM = 0.1 * np.sin(np.arange(10 * RATE) / 10).astype(np.float32)
LOUD = np.sign(HUM)


def test_silence_gets_a_warning():
    segments = segment(wav(0 * HUM), PLAN)

    assert segments.warnings == ("silent: all 4 windows are silent, and no search can find them",)
    assert {window.quality for window in segments.windows} == {"silent"}


def test_overdriven_sound_gets_a_warning():
    segments = segment(wav(LOUD), PLAN)

    assert segments.warnings == ("clipped: all 4 windows are clipped, and no search can find them",)


def test_a_short_one_has_one_window():
    (warning,) = segment(wav(LOUD[:RATE]), PLAN).warnings
    assert warning == "clipped: the only window is clipped, and no search can find it"


def test_where_there_is_only_silence_and_overdriven_sound():
    samples = np.concatenate([0 * HUM, LOUD])
    (warning,) = segment(wav(samples), PLAN).warnings

    assert (
        warning == "silent or clipped: all 9 windows are silent or clipped, and no search can find them"
    )


def test_where_anything_can_be_found_there_is_no_warning():
    samples = np.concatenate([0 * HUM, LOUD, 0 * HUM, HUM[: 5 * RATE]])
    segments = segment(wav(samples), PLAN)

    assert segments.warnings == ()
    assert [window.quality for window in segments.windows].count("ok") == 3


def test_samples_without_a_scale():
    """Numbers of 16 bits in a file of floats."""
    samples = np.concatenate([327_670 * HUM, 0 * HUM[: 8 * RATE]])
    segments = segment(wav(samples), PLAN)

    assert "ok" not in {window.quality for window in segments.windows}
    assert segments.warnings == (
        "unscaled: samples reach 32767 times full scale, so 5 of 8 windows are clipped, and no search "
        "can find them; export it with normal levels",
    )


@pytest.mark.parametrize(
    ("clipped", "ok", "peak", "begins"),
    [
        (2, 1, 2.1, "unscaled"),
        (2, 1, 2.0, ""),
        (1, 1, 2.1, ""),
        (1, 0, 2.0, "clipped"),
    ],
)
def test_limits_of_samples_without_a_scale(clipped: int, ok: int, peak: float, begins: str):
    windows = [Window(n, 2.0 * n, 2.0 * n + 4, is_clipped=n < clipped) for n in range(clipped + ok)]
    assert "".join(unsearchable_warning(windows, peak)).partition(":")[0] == begins


def test_a_mix_that_goes_a_little_beyond_full_scale():
    assert segment(wav(15 * HUM), PLAN).warnings[0].startswith("clipped: all 4")
    samples = np.concatenate([HUM, 100 * HUM[: 5 * RATE], HUM, HUM])
    assert segment(wav(samples), PLAN).warnings == ()


def test_seconds_and_slices_get_it_too():
    assert cut_seconds(wav(0 * HUM)).warnings == (
        "silent: all 10 windows are silent, and no search can find them",
    )
    loud = np.concatenate([LOUD, HUM])
    assert segment(wav(loud), PLAN, Excerpt(end_s=6.0)).warnings[0].startswith("clipped: all 2")
    assert segment(wav(loud), PLAN, Excerpt(at_s=3.0)).warnings[0].startswith("clipped: the only")
