"""Times are those that a player shows, and every way of reading a part agrees on them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.audio.excerpt import Excerpt
from soundalike.audio.loading import load_audio
from soundalike.audio.parts import Part
from soundalike.audio.pictures import peaks, write_cut_out
from soundalike.errors import ParameterError, UnreadableAudio
from tests.fixtures.formats import BY_NAME, FIRST_S, MKVMERGE, run

Maker = Callable[..., Path]
LATE_S = 3.0


@pytest.mark.parametrize(
    ("container", "video", "sound"),
    [
        ("mp4", "mpeg4", "aac"),
        ("matroska", "mpeg4", "aac"),
        ("mpegts", "mpeg2video", "mp2"),
    ],
)
def test_a_track_that_begins_later_than_the_film(container: str, video: str, sound: str, tmp_path: Path):
    path = tmp_path / "film"
    run(
        *("-f", "lavfi", "-i", "testsrc=d=8:s=64x64:r=10", "-itsoffset", str(LATE_S)),
        *("-f", "lavfi", "-i", "sine=f=40:r=48000:d=4", "-map", "0:v", "-map", "1:a"),
        *("-c:v", video, "-c:a", sound, "-f", container, str(path)),
    )
    waveform = load_audio(path)
    begins = int(np.argmax(np.abs(waveform.samples) > 0.02)) / 16_000
    assert begins == pytest.approx(LATE_S, abs=0.1)
    assert waveform.duration_s == pytest.approx(LATE_S + 4, abs=0.1)
    part = load_audio(path, Part(4.0, 5.0)).samples
    # Time stamps of Matroska are rounded to milliseconds.
    assert np.corrcoef(part, waveform.samples[64_000:80_000])[0, 1] > 0.97


@pytest.mark.parametrize(
    "name",
    [
        *(
            "wav s16",
            "flac",
            "ogg vorbis",
            "mp3 vbr",
            "mp3 vbr no xing",
            "aac adts",
            "aac m4a",
            "mka aac",
        ),
        *("ts aac", "wma 2", "ac3", "wavpack", "mka alac", "avi mp3"),
    ],
)
def test_parts_agree_with_the_whole(name: str, made: Maker, tmp_path: Path):
    path = tmp_path / "sound"
    one = BY_NAME[name]
    # Louder and louder, so that no second resembles another.
    run(
        *("-f", "lavfi", "-i", f"aevalsrc=0.1*t*sin(2*PI*(40+5*t)*t):s={one.rate_hz}:d={FIRST_S}"),
        *("-ac", str(one.n_channels), *one.arguments.split(), str(path)),
    )
    whole = load_audio(path)
    part = load_audio(path, Part(4.0, 5.0))
    assert part.duration_s == pytest.approx(1.0, abs=0.001)
    assert np.corrcoef(part.samples, whole.samples[64_000:80_000][: len(part.samples)])[0, 1] > 0.97
    shown = peaks(path)
    assert shown.end_s == pytest.approx(whole.duration_s, abs=0.001)
    write_cut_out(path, tmp_path / "cut.wav", Excerpt(4.0, 60.0))
    cut = load_audio(tmp_path / "cut.wav")
    assert cut.duration_s == pytest.approx(whole.duration_s - 4.0, abs=0.002)
    with pytest.raises(ParameterError, match=r"nothing at 20 s: the recording ends at 6\."):
        load_audio(path, Part(20.0))


def test_a_part_behind_the_estimated_end_is_found(tmp_path: Path):
    # Loud and then quiet: the first frames make the length look a third of what it is.
    path = tmp_path / "sound"
    source = "aevalsrc='if(lt(t,2),random(0),0.1*sin(6283*t))':s=44100:d=20"
    run("-f", "lavfi", "-i", source, *BY_NAME["mp3 vbr no xing"].arguments.split(), str(path))
    assert load_audio(path).duration_s == pytest.approx(20.0, abs=0.1)
    assert load_audio(path, Part(18.0, 19.0)).duration_s == 1.0


@pytest.mark.parametrize("name", ["alac m4a", "wav s16", "mp3 cbr", "flac", "mka vorbis"])
@pytest.mark.skipif(MKVMERGE is None, reason="the mkvmerge program is not installed")
def test_laced_frames_without_times_follow_one_another(name: str, made: Maker, tmp_path: Path):
    given = made(BY_NAME["webm vorbis" if name == "mka vorbis" else name])
    path = tmp_path / "laced.mka"
    subprocess.run([str(MKVMERGE), "--quiet", "-o", str(path), str(given)], check=True, timeout=60)
    waveform = load_audio(path)
    assert waveform.duration_s == pytest.approx(FIRST_S, abs=0.1)
    assert waveform.warnings == ()


@pytest.mark.parametrize(
    "name", ["a.au", "a.snd", "a.mp3", "a.gsm", "a.vox", "a.aac", "a.g722", "a.raw"]
)
def test_the_name_makes_no_sound_of_random_bytes(name: str, tmp_path: Path):
    path = tmp_path / name
    path.write_bytes(os.urandom(100_000))
    with pytest.raises(UnreadableAudio) as caught:
        load_audio(path)
    assert "pipe" not in str(caught.value)
    assert "does not exist" not in str(caught.value)


@pytest.mark.parametrize("name", ["sound.txt", "sound.jpg", "sound.wav", "http:sound", "concat:sound"])
def test_the_name_hides_no_sound(name: str, made: Maker, tmp_path: Path):
    for one in ("aac m4a", "flac"):
        path = tmp_path / name
        path.write_bytes(made(BY_NAME[one]).read_bytes())
        assert load_audio(path).duration_s == pytest.approx(FIRST_S, abs=0.1)


LISTS = {
    "concat": "ffconcat version 1.0\nfile '{sound}'\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:6,\n{sound}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    "sbg": "-SE\ntone: 100+4/50\nNOW tone\n",
}


@pytest.mark.parametrize("kind", LISTS)
def test_content_that_leads_to_other_files_is_not_followed(kind: str, made: Maker, tmp_path: Path):
    path = tmp_path / f"list.{kind}"
    path.write_text(LISTS[kind].format(sound=made(BY_NAME["aac adts"])), encoding="utf-8")
    with pytest.raises(UnreadableAudio):
        load_audio(path)
