"""When a recording began: headers of real files, and which source is trusted."""

import os
import struct
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st

from soundalike.audio.tags import read_tags
from soundalike.clock.start_time import StartTime, start_time, start_time_of_upload
from soundalike.errors import ParameterError

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: The moment that most of the headers below mean.
MOMENT = datetime(2023, 5, 4, 5, 30, tzinfo=UTC)
UNKNOWN = StartTime(None, "unknown")


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def wave(*chunks: bytes, form: bytes = b"RIFF", data: bytes | None = None) -> bytes:
    """Return a WAV file of a tenth of a second, with chunks before its samples."""
    layout = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    samples = chunk(b"data", bytes(3_200)) if data is None else data
    body = b"WAVE" + chunk(b"fmt ", layout) + b"".join(chunks) + samples
    return form + struct.pack("<I", len(body)) + body


def bext(day: bytes, clock: bytes) -> bytes:
    names = b"first light".ljust(256, b"\0") + b"F3".ljust(32, b"\0") + bytes(32)
    return chunk(b"bext", names + day + clock + struct.pack("<QH", 950_400_000, 1) + bytes(254))


def info(**fields: str) -> bytes:
    texts = (chunk(key.encode(), value.encode("latin-1") + b"\0") for key, value in fields.items())
    return chunk(b"LIST", b"INFO" + b"".join(texts))


def guano(timestamp: str) -> bytes:
    text = f"GUANO|Version: 1.0\nMake: BATLOGGER\nTimestamp: {timestamp}\nLength: 7.02\nNote: ä"
    return chunk(b"guan", text.encode())


def wamd(timestamp: bytes) -> bytes:
    fields = ((0, b"\1\0"), (1, b"SM4"), (5, timestamp), (0xFFFF, b""))
    return chunk(b"wamd", b"".join(struct.pack("<HI", key, len(v)) + v for key, v in fields))


AUDIOMOTH = "by AudioMoth 0FE081F80FE081F0 at gain setting 2 while battery state was 4.5V"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(wave(bext(b"2023-05-04", b"07:30:00")), id="bext"),
        pytest.param(wave(bext(b"2023_05_04", b"07-30-00")), id="bext, separators"),
        pytest.param(wave(bext(b"2023 05 04", b"07.30.00")), id="bext, blanks"),
        pytest.param(wave(bext(b"2023-05-04", b"07:30:00"), form=b"RF64"), id="bext, RF64"),
        # FFmpeg would read the year of the one and the time of the other.
        pytest.param(wave(bext(b"2023-05-04", b"07:30:00"), info(ICRD="2004")), id="bext, ICRD"),
        pytest.param(wave(info(ICRD="2023-05-04 07:30:00")), id="ICRD"),
        pytest.param(wave(info(ICRD="2023-05-04T05:30:00Z")), id="ICRD, zone"),
        pytest.param(wave(info(ICRD="2023:05:04 07:30")), id="ICRD, minute"),
        pytest.param(wave(info(ICMT=f"Recorded at 05:30:00 04/05/2023 (UTC) {AUDIOMOTH}")), id="UTC"),
        pytest.param(
            wave(info(ICMT=f"Recorded at 05:30:00 04/05/2023 {AUDIOMOTH}")), id="AudioMoth 1.0"
        ),
        pytest.param(wave(info(ICMT="Recorded at 07:30:00 04/05/2023 (UTC+2) by")), id="UTC+2"),
        pytest.param(wave(info(ICMT="Recorded at 02:00:00 04/05/2023 (UTC-3:30) by")), id="UTC-3:30"),
        pytest.param(wave(info(ICMT="Recorded at 05:00:00 04/05/2023 (UTC-0:30) by")), id="UTC-0:30"),
        pytest.param(wave(info(IART="Äh", ICMT="Recorded at 05:30:00 04/05/2023 (UTC)")), id="Latin-1"),
        pytest.param(wave(guano("2023-05-04T08:30:00+03:00")), id="guano"),
        pytest.param(wave(guano("2023-05-04T07:30:00")), id="guano, local"),
        pytest.param(wave(guano("2023-05-04 7:30:00")), id="guano, hour of one digit"),
        pytest.param(wave(guano("2023-05-04T7:30:00.000+02:00")), id="guano, hour of one digit, zone"),
        pytest.param(wave(info(ICRD="2023-05-04  7:30:00")), id="ICRD, blank before the hour"),
        pytest.param(
            wave(info(ICRD="2004-11-02 00:00:00"), guano("2023-05-04T05:30:00Z")), id="guano, ICRD"
        ),
        pytest.param(wave(wamd(b"2023-05-04 00:30:00-05:00")), id="wamd"),
        pytest.param(wave(wamd(b"2023-05-04 07:30:00.000")), id="wamd, local"),
        pytest.param(wave() + guano("2023-05-04T05:30:00Z"), id="behind the samples"),
        pytest.param(
            wave(
                chunk(b"ds64", b"\xff" * 28),
                bext(b"2023-05-04", b"07:30:00"),
                form=b"RF64",
                data=b"data\xff\xff\xff\xff",
            ),
            id="length beyond counting",
        ),
        pytest.param(wave(chunk(b"junk", b"odd")) + guano("2023-05-04T05:30:00Z"), id="odd length"),
    ],
)
def test_headers_of_wav_files(tmp_path: Path, content: bytes):
    path = tmp_path / "20200101_000000.wav"
    path.write_bytes(content)
    expected = StartTime(MOMENT, "metadata")
    assert start_time(path, zone=BERLIN) == expected
    assert start_time_of_upload(content, path.name, zone=BERLIN) == expected


def test_chunk_behind_more_than_four_gigabytes(tmp_path: Path):
    path = tmp_path / "long.wav"
    length = 5 << 30
    sizes = chunk(b"ds64", struct.pack("<QQQI", length + 1000, length, length // 2, 0))
    content = wave(sizes, form=b"RF64", data=b"data" + struct.pack("<I", 0xFFFFFFFF))
    with path.open("wb") as file:
        file.write(content)
        # Takes no room on the disk.
        file.seek(length, os.SEEK_CUR)
        file.write(guano("2023-05-04T05:30:00Z"))
    assert start_time(path) == StartTime(MOMENT, "metadata")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFF", id="four bytes"),
        pytest.param(b"RIFF\0\0\0\0WAVE", id="no chunks"),
        pytest.param(wave(bext(bytes(10), bytes(8))), id="bext unset"),
        pytest.param(wave(bext(b"0000-00-00", b"00:00:00")), id="bext zero"),
        pytest.param(wave(bext(b"2004-11-02", bytes(8))), id="bext, day only"),
        pytest.param(wave(bext(b"1970-01-01", b"00:00:20")), id="bext, clock not set"),
        pytest.param(wave(chunk(b"bext", b"short")), id="bext, short"),
        pytest.param(wave(info(ICRD="2004")), id="year"),
        pytest.param(wave(info(ICRD="2004-11")), id="month"),
        pytest.param(wave(info(ICRD="2004-11-02")), id="day"),
        pytest.param(wave(info(ICRD="2004-11-02T05")), id="hour"),
        pytest.param(wave(info(ICRD="2004-11-02 05:30:00 or so")), id="more words"),
        pytest.param(wave(info(ICRD="2004-11-31 05:30:00")), id="no such day"),
        pytest.param(wave(info(ICRD="9999-12-31T23:59:59-14:00")), id="outside the calendar"),
        pytest.param(wave(info(ICRD="1856-12-31 05:30:00")), id="before recording"),
        pytest.param(wave(info(ICMT="Recorded at 99:17:30 05/12/2018 (UTC)")), id="no such hour"),
        pytest.param(wave(info(ICMT="Recorded at dawn")), id="words"),
        pytest.param(wave(info(ICMT="\xe9" * 70_000)), id="long comment"),
        pytest.param(wave(guano("yesterday")), id="guano, words"),
        pytest.param(wave(chunk(b"guan", b"GUANO|Version: 1.0\n")), id="guano, no time"),
        pytest.param(wave(wamd(b"")), id="wamd, empty"),
        pytest.param(wave(chunk(b"wamd", b"\5\0\xff\xff\xff\xff")), id="wamd, wrong length"),
        pytest.param(wave(b"LIST\xff\xff\xff\xffINFO"), id="list without end"),
        pytest.param(wave(b"ds64\x04\0\0\0abcd", form=b"RF64"), id="ds64, short"),
        pytest.param(wave(chunk(b"junk", b"") * 300, guano("2004-11-02T05:30:00Z")), id="many chunks"),
        pytest.param(b"fLaC" + bytes(100), id="FLAC, broken"),
        pytest.param(b"\0\0\0\x18ftypM4A " + bytes(100), id="M4A, broken"),
        pytest.param(b"#EXTM3U\n/etc/passwd\n", id="play list"),
    ],
)
def test_headers_that_tell_nothing(tmp_path: Path, content: bytes):
    expected = StartTime(MOMENT, "filename")
    path = tmp_path / "20230504_053000.wav"
    path.write_bytes(content)
    assert start_time(path) == expected
    assert start_time_of_upload(content, path.name) == expected


@settings(deadline=None)
@sampled(
    content=st.sampled_from(
        [
            wave(bext(b"2023-05-04", b"07:30:00"), info(ICRD="2004", ICMT="Recorded")),
            wave(wamd(b"2023-05-04 00:30:00-05:00"), guano("2023-05-04T05:30:00Z"), form=b"RF64"),
        ]
    ),
    cuts=st.lists(st.tuples(st.integers(0, 900), st.binary(max_size=6)), max_size=8),
    length=st.integers(0, 5000),
)
def test_damaged_wav_files(content: bytes, cuts: list[tuple[int, bytes]], length: int):
    for position, new in cuts:
        content = content[:position] + new + content[position + len(new) :]
    assert start_time_of_upload(content[:length], "x").source in ("metadata", "unknown")


def encoded(path: Path, codec: str, tags: dict[str, str], **options: str) -> Path:
    """Write half a second of noise with tags."""
    rate = 48_000
    with av.open(str(path), "w", options=options) as file:
        file.metadata.update(tags)
        track = file.add_stream(codec, rate=rate, layout="mono")
        noise = np.random.default_rng(1).standard_normal((1, rate // 2)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(0.1 * noise, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(track.format, "mono", rate, track.frame_size or None)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(track.encode(part))
        file.mux(track.encode(None))
    return path


LOCAL = "2023-05-04T07:30:00"


@pytest.mark.parametrize(
    ("name", "codec", "tags", "options"),
    [
        ("tdrc.mp3", "libmp3lame", {"date": LOCAL}, {}),
        ("minute.mp3", "libmp3lame", {"date": "2023-05-04T07:30"}, {}),
        (
            "2.3.mp3",
            "libmp3lame",
            {"TYER": "2023", "TDAT": "0405", "TIME": "0730"},
            {"id3v2_version": "3"},
        ),
        ("date.flac", "flac", {"DATE": LOCAL}, {}),
        ("frontier.flac", "flac", {"RecordingStart": f"{LOCAL}+02:00"}, {}),
        ("audiomoth.flac", "flac", {"comment": "Recorded at 07:30:00 04/05/2023 (UTC+2) by"}, {}),
        # As FFmpeg copies a ``bext`` chunk.
        ("bext.flac", "flac", {"date": "2023-05-04", "creation_time": "07:30:00"}, {}),
        ("date.opus", "libopus", {"DATE": LOCAL}, {}),
        ("phone.m4a", "aac", {"creation_time": "2023-05-04T05:30:00Z"}, {}),
        ("album.m4a", "aac", {"creation_time": "2023-05-04T05:30:00Z", "date": "2004"}, {}),
        ("date.m4a", "aac", {"creation_time": "2024-01-01T00:00:00Z", "date": f"{LOCAL}+0200"}, {}),
        (
            *("apple.mov", "aac", {"com.apple.quicktime.creationdate": f"{LOCAL}+0200"}),
            {"movflags": "use_metadata_tags"},
        ),
        ("date.mka", "aac", {"creation_time": "2024-01-01T00:00:00Z", "DATE_RECORDED": LOCAL}, {}),
        ("creation.webm", "libopus", {"creation_time": "2023-05-04T05:30:00Z"}, {}),
        ("date.aiff", "pcm_s16be", {"date": LOCAL}, {"write_id3v2": "1"}),
    ],
)
def test_tags_of_other_formats(
    tmp_path: Path, name: str, codec: str, tags: dict[str, str], options: dict[str, str]
):
    path = encoded(tmp_path / name, codec, tags, **options)
    assert start_time(path, zone=BERLIN) == StartTime(MOMENT, "metadata")
    assert start_time_of_upload(path.read_bytes(), None, zone=BERLIN) == StartTime(MOMENT, "metadata")


@pytest.mark.parametrize(
    ("name", "codec", "tags"),
    [
        ("none.flac", "flac", {}),
        ("album.mp3", "libmp3lame", {"date": "2004"}),
        ("day.opus", "libopus", {"DATE": "2004-11-02"}),
        ("unset.m4a", "aac", {}),
        ("1970.m4a", "aac", {"creation_time": "1970-01-01T00:00:00Z"}),
        ("1904.mka", "aac", {"creation_time": "1904-01-01T00:00:00Z"}),
        ("words.flac", "flac", {"DATE": "when it rained", "comment": "Recorded at home"}),
    ],
)
def test_tags_that_tell_nothing(tmp_path: Path, name: str, codec: str, tags: dict[str, str]):
    path = encoded(tmp_path / name, codec, tags)
    assert start_time_of_upload(path.read_bytes(), name) == UNKNOWN


@pytest.mark.parametrize(("format_", "suffix"), [("FLAC", "flac"), ("OGG", "ogg"), ("WAV", "wav")])
def test_date_that_libsndfile_writes(tmp_path: Path, format_: str, suffix: str):
    path = tmp_path / f"dated.{suffix}"
    with soundfile.SoundFile(path, "w", 16_000, 1, format=format_) as file:
        file.date = LOCAL
        file.write(np.zeros(1600))
    assert start_time(path, zone=BERLIN) == StartTime(MOMENT, "metadata")


def test_names_that_look_like_addresses_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    path = encoded(tmp_path / "dated.flac", "flac", {"RecordingStart": "2023-05-04T05:30:00Z"})
    for name in (
        "2004-11-02-birdnet-05:30:00.flac",
        "concat:a.flac",
        "http:x",
        os.fsdecode(b"\xe9.ogg"),
    ):
        path.rename(name)
        path = Path(name)
        assert start_time(path) == StartTime(MOMENT, "metadata")


def test_only_the_header_is_read(tmp_path: Path):
    """A file of an hour takes as long as one of a second."""
    path = tmp_path / "long.wav"
    content = wave(bext(b"2023-05-04", b"05:30:00"), data=b"data" + struct.pack("<I", 1 << 30))
    path.write_bytes(content)
    os.truncate(path, len(content) + (1 << 30))
    begin = time.perf_counter()
    for _ in range(100):
        assert read_tags(path) == {"bext": "2023-05-04 05:30:00"}
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("name", "codec", "tags"),
    [
        ("phone.m4a", "aac", {"creation_time": "2024-02-01T12:34:56Z"}),
        ("film.mp4", "aac", {"creation_time": "2024-02-01T12:34:56Z"}),
        ("apple.mov", "aac", {"creation_time": "2024-02-01T12:34:56Z"}),
        ("muxed.mka", "aac", {"creation_time": "2024-02-01T12:34:56Z"}),
        ("muxed.webm", "libopus", {"creation_time": "2024-02-01T12:34:56Z"}),
        ("edited.flac", "flac", {"DATE": "2024-02-01T12:34:56"}),
        ("edited.opus", "libopus", {"DATE": "2024-02-01T12:34:56"}),
        ("edited.mp3", "libmp3lame", {"date": "2024-02-01T12:34:56"}),
        ("album.m4a", "aac", {"date": "2024-02-01T12:34:56Z"}),
    ],
)
def test_a_name_is_better_than_the_time_of_an_editor(
    tmp_path: Path, name: str, codec: str, tags: dict[str, str]
):
    path = encoded(tmp_path / name, codec, tags)
    named = path.rename(path.with_stem("REC_20230504_073000"))
    assert start_time(named, zone=BERLIN) == StartTime(MOMENT, "filename")
    content = named.read_bytes()
    assert start_time_of_upload(content, named.name, zone=BERLIN) == StartTime(MOMENT, "filename")
    # Where the name tells nothing it is better than the last change.
    found = start_time_of_upload(content, name)
    assert found == StartTime(datetime(2024, 2, 1, 12, 34, 56, tzinfo=UTC), "metadata")


@pytest.mark.parametrize(
    ("name", "codec", "tags"),
    [
        ("apple.flac", "flac", {"com.apple.quicktime.creationdate": f"{LOCAL}+0200"}),
        ("frontier.flac", "flac", {"RecordingStart": f"{LOCAL}+02:00"}),
        ("date.mka", "aac", {"DATE_RECORDED": f"{LOCAL}+02:00"}),
        ("audiomoth.flac", "flac", {"comment": "Recorded at 07:30:00 04/05/2023 (UTC+2) by"}),
    ],
)
def test_what_a_recorder_writes_is_better_than_a_name(
    tmp_path: Path, name: str, codec: str, tags: dict[str, str]
):
    path = encoded(tmp_path / name, codec, tags)
    path = path.rename(path.with_stem("20200101_000000"))
    assert start_time(path) == StartTime(MOMENT, "metadata")


@pytest.mark.parametrize(
    "date",
    [
        *("2019", "2019-05", "2019-05-01", "2019-05-01T00:00:00", "2019-05-01T00:00:00Z"),
        *("2019-05-01 00:00", "2019-05-01T07:00:00Z", "2019-05-01T08:00:00Z"),
    ],
)
@pytest.mark.parametrize(
    ("name", "codec"), [("a.flac", "flac"), ("a.m4a", "aac"), ("a.opus", "libopus")]
)
def test_the_day_on_which_an_album_came_out_is_no_start(
    tmp_path: Path, name: str, codec: str, date: str
):
    path = encoded(tmp_path / name, codec, {"date": date})
    assert start_time_of_upload(path.read_bytes(), name) == UNKNOWN


def test_sources_in_falling_trust(tmp_path: Path):
    path = tmp_path / "20220504_053000.wav"
    path.write_bytes(wave(guano("2023-05-04T05:30:00Z")))
    given = datetime(2024, 5, 4, 5, 30, tzinfo=UTC)
    changed = datetime(2021, 5, 4, 5, 30, tzinfo=UTC)

    assert start_time(path, given=given) == StartTime(given, "given")
    assert start_time(path) == StartTime(MOMENT, "metadata")
    path.write_bytes(wave())
    assert start_time(path) == StartTime(datetime(2022, 5, 4, 5, 30, tzinfo=UTC), "filename")
    path = path.rename(tmp_path / "blackbird.wav")
    os.utime(path, (0, changed.timestamp()))
    assert start_time(path) == StartTime(changed, "mtime")
    assert start_time_of_upload(path.read_bytes(), path.name) == UNKNOWN
    path.unlink()
    assert start_time(path) == UNKNOWN


def test_recorders_close_a_file_when_they_stop(tmp_path: Path):
    path = tmp_path / "blackbird.wav"
    path.write_bytes(wave(bext(b"2023-05-04", bytes(8))))
    os.utime(path, (0, MOMENT.timestamp() + 3600.5))
    assert start_time(path, duration_s=3600.5) == StartTime(MOMENT, "mtime")


@pytest.mark.parametrize(
    "seconds",
    [0.0, -1e9, 315_532_800.0, 1e10, pytest.param(time.time() + 100_000, id="the future")],
)
def test_changes_that_are_not_believed(tmp_path: Path, seconds: float):
    path = tmp_path / "blackbird.wav"
    path.write_bytes(wave())
    os.utime(path, (0, seconds))
    assert start_time(path) == UNKNOWN


def test_what_is_no_file_may_still_have_a_name(tmp_path: Path):
    pipe = tmp_path / "20230504_053000.wav"
    os.mkfifo(pipe)
    assert start_time(pipe) == StartTime(MOMENT, "filename")
    assert start_time(Path("20230504_053000\0.wav")) == StartTime(MOMENT, "filename")
    assert start_time(tmp_path) == UNKNOWN


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (datetime(2023, 5, 4, 7, 30), MOMENT),
        (datetime(2023, 5, 4, 5, 30, tzinfo=UTC), MOMENT),
        (datetime(2023, 5, 4, 11, 0, tzinfo=timezone(timedelta(hours=5.5))), MOMENT),
        # Believed as it is: somebody else's clock, a wax cylinder.
        (datetime(1970, 1, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(2999, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_the_caller_says(given: datetime, expected: datetime):
    found = start_time(Path("20200101_000000.wav"), given=given, zone=BERLIN)
    assert found == StartTime(expected, "given")
    assert found.at is not None
    assert found.at.tzinfo is UTC
    assert start_time_of_upload(b"", None, given=given, zone=BERLIN) == found


def test_given_time_at_the_end_of_the_calendar():
    with pytest.raises(ParameterError, match="9999-12-31 23:59:59-05:00 is outside the calendar"):
        start_time(
            Path("x.wav"), given=datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=5)))
        )
