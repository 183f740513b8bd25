"""Start times in names of files, the patterns for them, and time zones."""

import os
import re
import subprocess
import sys
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st

from soundalike.clock.start_time import (
    DEFAULT_PATTERNS,
    StartTime,
    compile_pattern,
    start_time_of_upload,
    zone_named,
)
from soundalike.errors import ParameterError

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
#: The moment that most of the names below mean.
MOMENT = datetime(2023, 5, 4, 5, 30, tzinfo=UTC)
UNKNOWN = StartTime(None, "unknown")


def named(name: str, zone: tzinfo = UTC) -> datetime | None:
    """Return what is found where the name alone can tell it."""
    found = start_time_of_upload(b"no sound", name, zone=zone)
    assert found.source == ("unknown" if found.at is None else "filename")
    return found.at


@pytest.mark.parametrize(
    "name",
    [
        "20230504_053000.WAV",
        "20230504_053000T.WAV",
        "SM4_20230504_053000.wav",
        "SM3-A_0+1_20230504$053000.wav",
        "PAM_20230504_053000_000.wav",
        "20230504_053000_123456.w4v",
        "2023-05-04T05-30-00.wav",
        "2023-05-04T05:30:00.flac",
        "20230504T053000Z.flac",
        "20230504t053000z.flac",
        "2023-05-04_05.30.00.wav",
        "2023-05-04_05.30.00",
        "2023-05-04 05-30-00.wav",
        "2023_05_04_05_30_00.mp3",
        "2023-05-04 - 05.30.00.mp3",
        "20230504 053000-096B2196.m4a",
        "20230504053000.ogg",
        "20230504-053000-20230504-060000.wav",
        "20230504T073000+0200_REC [-27.3866 152.8761].flac",
        "2023-05-04T07-30-00+02-1.flac",
        "202305 4T153000+1000_REC [19.2144 152.8811].flac",
        "20230504T053000+0000_Rec2_-18.1883+144.5414.flac",
        "20230504T023000-0300.wav",
        "20230504_053000_UTC.wav",
        "20230504_073000_UTC+2.wav",
        "20230504_023000 UTC-3.wav",
        "20230504_110000+0530.wav",
        "20230504_053000-0001.wav",
        "20230504_053000-01.wav",
        "20230504_053000-0100.wav",
        "20230504T053000-01.wav",
        "20230504T053000-0001.wav",
        "20230504_053000Zoom.wav",
        "20230504_053000.3gp",
        "2023-05-04-birdnet-05:30:00.wav",
        "2023-05-04-birdnet-RTSP_1-05:30:00.wav",
        "Common_Blackbird-87-2023-05-04-birdnet-05:30:00.mp3",
        "20231399_000000_20230504_053000.wav",
        "99991231_235959_20230504_053000.wav",
        "1277236867.2023-05-04-05-30-00.wav",
        "2023-99-2023-05-04-05-30-00.wav",
        "645342D8.WAV",
        "645342d8.wav",
        # Phones, voice recorders, messengers, video calls.
        "VID_20230504_053000.mp4",
        "IMG_20230504_053000.mp4",
        "REC_20230504_053000.wav",
        "Recording_20230504_053000.m4a",
        "Voice 230504_053000.m4a",
        "2023-05-04 05.30.00.m4a",
        "2023-05-04-05-30-00.m4a",
        "Recording 2023-05-04 at 05.30.00.m4a",
        "WhatsApp Audio 2023-05-04 at 05.30.00.ogg",
        "WhatsApp Ptt 2023-05-04 at 05.30.00 (1).ogg",
        "Screen Recording 2023-05-04 at 5.30.00 AM.mov",
        "Screen Recording 2023-05-04 at 5.30.00\u202fAM.mov",
        "Bildschirmaufnahme 2023-05-04 um 05.30.00.mov",
        "audio_2023-05-04_05-30-00.ogg",
        "DJI_20230504053000_0001_D.MP4",
        "signal-2023-05-04-05-30-00-123.m4a",
        "number(00491234567)_20230504053000.mp3",
        "GMT20230504-053000_Recording.m4a",
        "Meeting-20230504_053000-Meeting Recording.mp4",
        # Field recorders and loggers.
        "230504_053000.WAV",
        "230504-053000_Tr1.WAV",
        "S4A01234_20230504_053000.wav",
        "NAME_0+1_20230504_053000.wav",
        "SWIFT01_20230504_053000.wav",
        "20230504T153000+1000_REC [-27.3866 152.8761].flac",
        # Without seconds.
        "20230504_0530.wav",
        "SITE_20230504_0530.wav",
        "SITE_20230504_0530_001.wav",
        "20230504-0530.mp3",
        "20230504T0530Z.wav",
        "20230504T0730+0200.wav",
        "20230504 0530.wav",
        "2023-05-04 05.30.m4a",
        "2023-05-04_05-30.wav",
        "2023-05-04 at 5.30 AM.m4a",
        # The zone of the time in this name.
        "20230504_003000 (UTC-5).wav",
        "20230504_073000(UTC+2).wav",
        "SITE_20230504_0730 (UTC+2).wav",
        "20230504_053000 (UTC).wav",
        "(UTC+05:30) 20230504_110000.wav",
        "20230504_073000_garden [GMT+2].wav",
        "230504_073000 (UTC+2).wav",
        "20230504T053000Z (UTC+2).wav",
    ],
)
def test_names_of_recorders(name: str):
    assert named(name) == MOMENT


@pytest.mark.parametrize(
    "name",
    [
        "",
        "blackbird.wav",
        "20230504.wav",
        "053000.wav",
        # A count, of the day's recordings; with a year of two digits it cannot be told at all.
        "20230504_0001.wav",
        "20230504_0059.wav",
        "230504_0530.wav",
        "230504_001.wav",
        "AUD-20230504-WA0003.opus",
        "PTT-20230504-WA0530.opus",
        "IMG-20230504-WA0003.jpg",
        # Serial numbers and longer numbers.
        "SN12023050405300.wav",
        "202305040530.wav",
        "2023050405300012.wav",
        "20230504_05300012.wav",
        "20230504_0530001234.wav",
        "20230504053000123.wav",
        "120230504_0530.wav",
        "20230504_05301.wav",
        "1230504_053000.wav",
        "230504_0530001.wav",
        "991231_053000.wav",
        "231304_053000.wav",
        # No such time, which is not cut down to one that there is.
        "20230504_2460.wav",
        "2023-05-04_05-30-60.wav",
        "2023-05-04_05.30.99.wav",
        "2023-05-04_06-05-2023.wav",
        "20230504_2530.wav",
        # A longer number is not cut into pieces.
        "120230504_053000.wav",
        "20230504_0530001.wav",
        "202305040530001.wav",
        # No such day or time.
        "20230229_053000.wav",
        "20231304_053000.wav",
        "20230504_250000.wav",
        "20230504_240001.wav",
        "20230504_053060.wav",
        "20230504_235961.wav",
        "00000000_000000.wav",
        # Not believed: before recording was invented, far ahead, and clocks that nobody has set.
        "18561231_235959.wav",
        "20991231_235959.wav",
        "99991231_240000.wav",
        "00010101_000000+1400.wav",
        "19700101_000020.WAV",
        "19040101_000000.wav",
        "19800101_120000.wav",
        # Eight hexadecimal digits that are no time of an AudioMoth.
        "DEADBEEF.WAV",
        "00000001.wav",
        "10160435.wav",
        "645342D.WAV",
        "x645342D8.WAV",
        "645342d8B.wav",
        "645342dB.wav",
        # Names of data sets.
        "1-100032-A-0.wav",
        "100032-3-0-0.wav",
        "XC123456.mp3",
        "---1_cCGK4M_0_10000.wav",
        # Digits of other scripts.
        "٢٠٢٣٠٥٠٤_٠٥٣٠٠٠.wav",
    ],
)
def test_names_that_tell_no_start(name: str):
    assert named(name) is None


@pytest.mark.parametrize(
    ("name", "microsecond"),
    [
        ("20230504_053000.5.wav", 500_000),
        ("20230504T053000.250Z.wav", 250_000),
        ("20230504T053000,000001Z.wav", 1),
        ("20230504T053000.123456789Z.wav", 123_456),
        ("2023-05-04T05.30.00.75", 750_000),
        ("PXL_20230504_053000123.mp4", 123_000),
        ("PXL_20230504_053000123.TS.mp4", 123_000),
        ("PXL_20230504_053000123~2.mp4", 123_000),
        ("20230504T053000123.wav", 123_000),
    ],
)
def test_fractions_of_seconds(name: str, microsecond: int):
    assert named(name) == MOMENT.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230504_240000.wav", datetime(2023, 5, 5)),
        ("20231231_240000.wav", datetime(2024, 1, 1)),
        ("20161231_235960.wav", datetime(2017, 1, 1)),
        ("20161231_235960.5Z.wav", datetime(2017, 1, 1, 0, 0, 0, 500_000)),
        ("20170101_052960+0530.wav", datetime(2017, 1, 1)),
        ("20240229_000000.wav", datetime(2024, 2, 29)),
    ],
)
def test_midnight_as_24_and_leap_seconds(name: str, expected: datetime):
    assert named(name) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2024-01-15 at 6.30.00 PM.mov", datetime(2024, 1, 15, 18, 30)),
        ("2024-01-15 at 12.05.00 AM.mov", datetime(2024, 1, 15, 0, 5)),
        ("2024-01-15 at 12.05.00 PM.mov", datetime(2024, 1, 15, 12, 5)),
        ("20240115_0000.wav", datetime(2024, 1, 15)),
        ("20240115_0005.wav", datetime(2024, 1, 15, 0, 5)),
        ("20240115_0101.wav", datetime(2024, 1, 15, 1, 1)),
        ("20240115_2400.wav", datetime(2024, 1, 16)),
    ],
)
def test_other_times_in_names(name: str, expected: datetime):
    assert named(name) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230704_073000 (UTC).wav", datetime(2023, 7, 4, 7, 30)),
        ("GMT20230704-073000.wav", datetime(2023, 7, 4, 7, 30)),
        ("20230704_0730.wav", datetime(2023, 7, 4, 5, 30)),
        ("20230704_073000.wav", datetime(2023, 7, 4, 5, 30)),
        ("20230104_073000.wav", datetime(2023, 1, 4, 6, 30)),
        ("20230704T073000Z.wav", datetime(2023, 7, 4, 7, 30)),
        ("20230704T073000-0300.wav", datetime(2023, 7, 4, 10, 30)),
        # Left out in spring: counted on from 02:00 winter time, as by a clock that nobody changed.
        ("20230326_023000.wav", datetime(2023, 3, 26, 1, 30)),
        ("20230326_033000.wav", datetime(2023, 3, 26, 1, 30)),
        # Comes twice in autumn: the first one.
        ("20231029_023000.wav", datetime(2023, 10, 29, 0, 30)),
        ("20231029_033000.wav", datetime(2023, 10, 29, 2, 30)),
        # AudioMoth's hexadecimal names are Unix time.
        ("645342D8.WAV", datetime(2023, 5, 4, 5, 30)),
    ],
)
def test_zone_of_names_that_give_none(name: str, expected: datetime):
    assert named(name, BERLIN) == expected.replace(tzinfo=UTC)


def test_seconds_can_be_added_across_a_change_of_clocks():
    at = named("20231029_013000.wav", BERLIN)
    assert at is not None
    assert at + timedelta(hours=3) == named("20231029_033000.wav", BERLIN)


def test_a_day_ahead_is_believed_and_more_is_not():
    now = datetime.now(UTC)
    soon, later = now + timedelta(hours=23), now + timedelta(hours=25)
    assert named(f"{soon:%Y%m%d_%H%M%S}.wav") == soon.replace(microsecond=0)
    assert named(f"{later:%Y%m%d_%H%M%S}.wav") is None


def test_folders_in_the_name_of_an_upload_do_not_count():
    assert named("/20230504_053000/blackbird.wav") is None
    assert named("C:\\fakepath\\20230504_053000.wav") == MOMENT
    assert start_time_of_upload(b"", None) == UNKNOWN


def test_hostile_names_take_no_time():
    name = "20230504-birdnet-" * 20_000
    begin = time.perf_counter()
    assert named(name) is None
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%y%m%d%H%M%S", "5678.230504053000.wav"),
        ("%d-%m-%Y %Hh%Mm%S", "garden 04-05-2023 05h30m00.wav"),
        ("%Y%m%d_%H%M", "20230504_0530.wav"),
        ("%Y%m%d_%H%M", "1_20230504_0530_2.wav"),
        ("rec-%Y.%m.%d %H.%M.%S", "REC-2023.05.04 05.30.00.wav"),
        ("%Y%m%d%H%M%S.%f", "20230504053000.000.wav"),
        ("%Y%m%d_%H%M%S%z", "20230504_023000-03.wav"),
        ("%H%M%S(%z)%y%m%d", "073000(UTC+2)230504.wav"),
        ("%d%m%Y_%H%M", "04052023_0730 (UTC+2).wav"),
        ("%s", "log-1683178200-7.wav"),
        ("%s.%f", "1683178200.0.wav"),
        ("100%% %Y%m%d %H%M%S", "100% 20230504 053000.wav"),
    ],
)
def test_patterns_of_a_person(pattern: str, name: str):
    found = start_time_of_upload(b"", name, patterns=[compile_pattern(pattern)])
    assert found == StartTime(MOMENT, "filename")


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("%s.%f", "1683178200.25.wav"), ("%Y%m%d_%H%M%S_%f", "20230504_053000_250.wav")],
)
def test_fractions_in_patterns(pattern: str, name: str):
    found = start_time_of_upload(b"", name, patterns=[compile_pattern(pattern)])
    assert found.at == MOMENT.replace(microsecond=250_000)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("%y%m%d%H%M%S", "1230504053000.wav"),
        ("%y%m%d%H%M%S", "2305040530001.wav"),
        ("%y%m%d%H%M%S", "231304053000.wav"),
        ("%Y%m%d_%H%M%S", "2023-05-04_05-30-00.wav"),
        ("%Y.%m.%d %H%M", "2023x05x04 0530.wav"),
        ("%s", "16831782001.wav"),
    ],
)
def test_patterns_that_do_not_fit(pattern: str, name: str):
    assert start_time_of_upload(b"", name, patterns=[compile_pattern(pattern)]) == UNKNOWN


def test_the_first_pattern_that_finds_a_time_counts():
    name = "010203_040506_20230504_053000.wav"
    own = compile_pattern("%d%m%y_%H%M%S")
    assert start_time_of_upload(b"", name, patterns=DEFAULT_PATTERNS).at == MOMENT
    found = start_time_of_upload(b"", name, patterns=[own, *DEFAULT_PATTERNS])
    assert found.at == datetime(2003, 2, 1, 4, 5, 6, tzinfo=UTC)
    assert start_time_of_upload(b"", "645342D8.WAV", patterns=[own, *DEFAULT_PATTERNS]).at == MOMENT


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "lacks %Y %m %d %H %M"),
        ("%Y%m%d", "lacks %H %M"),
        ("%y%m%dT%H", "lacks %M"),
        ("%H%M%S", "lacks %Y %m %d"),
        ("%Y%m%d_%H%M%S_%Y", "contains %Y twice"),
        ("%Y%j_%H%M%S", "contains %j; choose from %Y %y"),
        ("%Y%m%d_%H%M%", "contains %; choose"),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, words: str):
    with pytest.raises(ParameterError, match=re.escape(f"name pattern {pattern!r} {words}")):
        compile_pattern(pattern)


@settings(deadline=None)
@sampled(
    at=st.datetimes(datetime(1981, 1, 1), datetime(2025, 12, 31)),
    order=st.permutations(["%Y", "%m", "%d", "%H", "%M", "%S", "%f"]),
    between=st.sampled_from(["", "_", "-", ".", " ", "%%", "x", "+(", "é"]),
    around=st.sampled_from(["", "_", "a ", "[", "7_"]),
    hours=st.integers(-12, 14),
)
def test_what_strftime_writes_is_read_again(
    at: datetime, order: list[str], between: str, around: str, hours: int
):
    pattern = between.join(order)
    name = f"{around}{at.strftime(pattern)}{around[::-1]}.wav"
    zone = timezone(timedelta(hours=hours))
    found = start_time_of_upload(b"", name, patterns=[compile_pattern(pattern)], zone=zone)
    assert found == StartTime(at.replace(tzinfo=zone).astimezone(UTC), "filename")


@settings(deadline=None)
@sampled(
    at=st.datetimes(datetime(1981, 1, 1), datetime(2025, 12, 31)).map(
        lambda at: at.replace(microsecond=0, tzinfo=UTC)
    ),
    hours=st.integers(0, 14),
    form=st.sampled_from(["%Y%m%dT%H%M%S%z", "%Y-%m-%d_%H-%M-%S%z", "%Y.%m.%d %H.%M.%S %z"]),
    before=st.text(alphabet="abc_-. ", max_size=5),
)
def test_names_with_an_offset_are_read_again(at: datetime, hours: int, form: str, before: str):
    there = at.astimezone(timezone(timedelta(hours=hours)))
    assert named(f"{before}{there.strftime(form)}.wav", BERLIN) == at


@settings(deadline=None)
@sampled(name=st.text(max_size=60), pattern=st.text(alphabet="%YymdHMSfzsab_ ([.1", max_size=20))
def test_any_name_and_any_pattern(name: str, pattern: str):
    start_time_of_upload(b"", name)
    try:
        compiled = compile_pattern(pattern)
    except ParameterError:
        return
    start_time_of_upload(b"", name, patterns=[compiled])


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("UTC", 0.0),
        ("utc", 0.0),
        ("Z", 0.0),
        ("GMT", 0.0),
        (" +02:00 ", 2.0),
        ("+0200", 2.0),
        ("-0330", -3.5),
        ("+2", 2.0),
        ("UTC+2", 2.0),
        ("UTC-3:30", -3.5),
        ("Etc/GMT-2", 2.0),
        ("Europe/Berlin", 2.0),
        ("America/St_Johns", -2.5),
    ],
)
def test_zones(text: str, hours: float):
    assert zone_named(text).utcoffset(datetime(2023, 7, 4)) == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Mars/Olympus Mons", "Europe/Berlin"),
        ("Europe", "Europe/"),
        ("+15", "Europe/Berlin"),
        ("", "Europe/Berlin"),
        ("../../etc/passwd", "Europe/Berlin"),
        ("/etc/passwd", "Europe/Berlin"),
        ("a\0b", "Europe/Berlin"),
    ],
)
def test_zones_that_are_unknown(text: str, example: str):
    with pytest.raises(ParameterError) as caught:
        zone_named(text)
    assert caught.value.message.startswith(f"time zone {text!r} is unknown; give a name like {example}")


def test_machine_without_time_zone_data():
    code = """
import sys
sys.modules["tzdata"] = None
from soundalike.errors import ConfigError
from soundalike.clock.start_time import zone_named
print(zone_named("UTC"), zone_named("+02:00"))
try:
    zone_named("Europe/Berlin")
except ConfigError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (
        "UTC UTC+02:00\nthis machine has no time zone data for 'Europe/Berlin'; install the package "
        "tzdata, or give an offset like +02:00\n"
    )


@settings(max_examples=20, deadline=None)
@sampled(at=st.datetimes(datetime(1990, 1, 1), datetime(2025, 1, 1)), zone=st.timezones())
def test_any_zone(at: datetime, zone: tzinfo):
    found = named(f"{at:%Y%m%d_%H%M%S}.wav", zone)
    assert found == at.replace(microsecond=0, tzinfo=zone).astimezone(UTC)
