"""Plain HTTP: recordings to listen to, with HTTP Range, and to look at."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
import soundfile
from PIL import Image

from tests.fixtures.service import uploaded_files

if TYPE_CHECKING:
    from tests.fixtures.service import Service

RATE_HZ = 22_050


@pytest.fixture
def ramp(tmp_path: Path, write_wav: Callable[..., Path]) -> Path:
    """Write a tone of 6 s, the louder the later, in stereo."""
    time_s = np.arange(6 * RATE_HZ) / RATE_HZ
    tone = time_s / 8 * np.sin(2 * np.pi * 441 * time_s)
    return write_wav(tmp_path / "ramp \u00e4\u0153.wav", np.stack((tone, tone), 1), RATE_HZ, "PCM_16")


@pytest.fixture
def stored(service: Service, ramp: Path) -> str:
    """Index it; return the address of the recording."""
    (doc,) = service.post("/index", {"uri": str(ramp)}).json["data"]
    return f"{service.url}/api/recordings/{doc['recording_id']}"


def _get(address: str, headers: dict[str, str] | None = None, **parameters: Any) -> requests.Response:
    return requests.get(address, params=parameters, headers=headers, timeout=60)


def test_the_file_comes_as_it_is(stored: str, ramp: Path):
    answer = _get(f"{stored}/audio")
    assert answer.status_code == 200
    assert answer.content == ramp.read_bytes()
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"].startswith("inline; filename*=utf-8''ramp%20")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-0", 0, 0), ("100-199", 100, 199), ("-50", -50, -1), ("264000-", 264_000, -1)],
)
def test_a_range_comes_alone(stored: str, ramp: Path, asked: str, first: int, last: int):
    content = ramp.read_bytes()
    answer = _get(f"{stored}/audio", {"Range": f"bytes={asked}"})
    size = len(content)
    assert answer.status_code == 206
    assert answer.content == content[first : last + 1 or None]
    assert answer.headers["content-range"] == f"bytes {first % size}-{last % size}/{size}"


def test_a_range_behind_the_end_is_refused(stored: str, ramp: Path):
    size = ramp.stat().st_size
    answer = _get(f"{stored}/audio", {"Range": f"bytes={size}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["code"]) == (416, "http.416")
    assert repr(f"bytes={size}-") in answer.json()["detail"]


@pytest.mark.parametrize("asked", ["bytes=abc", "items=1-2", "bytes=5-2", "5", "bytes=-"])
def test_a_range_that_names_no_bytes_is_refused(stored: str, asked: str):
    answer = _get(f"{stored}/audio", {"Range": asked})
    assert (answer.status_code, answer.json()["code"]) == (400, "http.400")
    assert repr(asked) in answer.json()["detail"]
    assert "content-range" not in answer.headers
    head = requests.head(f"{stored}/audio", headers={"Range": asked}, timeout=60)
    assert (head.status_code, head.content) == (400, b"")


def test_a_range_of_another_version_is_the_whole_file(stored: str, ramp: Path):
    etag = _get(f"{stored}/audio").headers["etag"]
    part = {"Range": "bytes=0-9"}
    assert _get(f"{stored}/audio", {**part, "If-Range": etag}).status_code == 206
    other = _get(f"{stored}/audio", {**part, "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, ramp.stat().st_size)


def test_head_tells_the_length_alone(stored: str, ramp: Path):
    answer = requests.head(f"{stored}/audio", timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == ramp.stat().st_size


def test_a_part_is_cut_out_as_wav(
    stored: str, ramp: Path, uploads: Path, wait_until: Callable[..., Any]
):
    answer = _get(f"{stored}/audio", start=1.5, end=3)
    found, rate_hz = soundfile.read(io.BytesIO(answer.content), dtype="float32")
    info = soundfile.info(io.BytesIO(answer.content))
    whole, _ = soundfile.read(ramp, dtype="float32")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert (rate_hz, info.channels, info.subtype) == (RATE_HZ, 1, "PCM_16")
    np.testing.assert_allclose(found, whole[round(1.5 * RATE_HZ) : 3 * RATE_HZ, 0], atol=1e-4)
    to_the_end = soundfile.info(io.BytesIO(_get(f"{stored}/audio", start=5).content))
    assert to_the_end.duration == pytest.approx(1.0)
    # It goes when it was sent.
    wait_until(lambda: not uploaded_files(uploads), "nothing is left")


@pytest.mark.parametrize(("asked", "status"), [("bytes=99999999-", 416), ("bytes=x", 400)])
def test_a_range_that_a_cut_out_has_not_leaves_no_file(
    stored: str, uploads: Path, wait_until: Callable[..., Any], asked: str, status: int
):
    assert _get(f"{stored}/audio", {"Range": asked}, start=1).status_code == status
    wait_until(lambda: not uploaded_files(uploads), "nothing is left")


@pytest.mark.parametrize("part", [{"start": 99, "end": 100}, {"start": 3, "end": 2}, {"start": -1}])
@pytest.mark.parametrize("kind", ["audio", "waveform", "spectrogram.png"])
def test_a_part_that_is_not_there(stored: str, kind: str, part: dict[str, float]):
    answer = _get(f"{stored}/{kind}", **part)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter.invalid")


def test_a_file_that_is_gone_is_said_so(stored: str, ramp: Path):
    ramp.unlink()
    for kind in ("audio", "waveform", "spectrogram.png"):
        answer = _get(f"{stored}/{kind}")
        assert (answer.status_code, answer.json()["code"]) == (404, "audio.not_found")


def test_a_recording_is_played_from_any_of_its_paths(service: Service, stored: str, ramp: Path):
    content = ramp.read_bytes()
    for name in ("a.wav", "z.wav", "zz.wav"):
        ramp.with_name(name).write_bytes(content)
        service.post("/index", {"uri": str(ramp.with_name(name))})
    for gone in (ramp, ramp.with_name("a.wav"), ramp.with_name("z.wav")):
        gone.unlink()
        for kind in ("audio", "waveform", "spectrogram.png"):
            assert _get(f"{stored}/{kind}").status_code == 200
    assert _get(f"{stored}/audio").content == content
    ramp.with_name("zz.wav").unlink()
    answer = _get(f"{stored}/audio")
    assert (answer.status_code, answer.json()["code"]) == (404, "audio.not_found")


def test_sent_bytes_cannot_be_played(service: Service, ramp: Path, encoded: Callable[[Path], str]):
    (doc,) = service.post("/index", {"audio_base64": encoded(ramp)}).json["data"]
    answer = _get(f"{service.url}/api/recordings/{doc['recording_id']}/audio")
    assert (answer.status_code, answer.json()["code"]) == (404, "audio.not_found")
    assert "not kept" in answer.json()["detail"]


def test_waveform_shows_lowest_and_highest(stored: str):
    found = _get(f"{stored}/waveform", points=6).json()
    assert (found["start_s"], found["end_s"], found["duration_s"]) == (0.0, 6.0, 6.0)
    for second, (lowest, highest) in enumerate(found["peaks"]):
        assert highest == pytest.approx((second + 1) / 8, abs=0.01)
        assert lowest == pytest.approx(-(second + 1) / 8, abs=0.01)
    part = _get(f"{stored}/waveform", start=2, end=4, points=2).json()
    assert part["peaks"] == found["peaks"][2:4]
    assert (part["start_s"], part["end_s"], part["duration_s"]) == (2.0, 4.0, 6.0)


@pytest.mark.parametrize(("points", "status"), [(0, 422), (4_001, 422), (4_000, 200)])
def test_points_have_a_limit(stored: str, points: int, status: int):
    assert _get(f"{stored}/waveform", points=points).status_code == status


def test_spectrogram_is_a_picture_of_the_size(stored: str):
    answer = _get(f"{stored}/spectrogram.png", width=300, height=64)
    picture = Image.open(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "image/png"
    assert (picture.format, picture.size) == ("PNG", (300, 64))
    brightness = np.asarray(picture.convert("L"), dtype=float)
    # The tone of 441 Hz lies in the lower part, and grows.
    row = int(brightness.mean(axis=1).argmax())
    assert row > 32
    assert brightness[row, -30:].mean() > brightness[row, :30].mean()
    assert _get(f"{stored}/spectrogram.png", width=4_001).status_code == 422
    assert _get(f"{stored}/spectrogram.png", height=0).status_code == 422


def test_uploads_are_drawn_as_stored_recordings_are(service: Service, stored: str, ramp: Path):
    def drawn(what: str, **fields: Any) -> requests.Response:
        files = {"file": (ramp.name, ramp.read_bytes())}
        return requests.post(f"{service.url}/api/{what}", data=fields, files=files, timeout=60)

    for part in ({}, {"start": 1, "end": 2}):
        assert drawn("waveform", **part).json() == _get(f"{stored}/waveform", **part).json()
        picture = _get(f"{stored}/spectrogram.png", **part).content
        assert drawn("spectrogram.png", **part).content == picture
    assert requests.post(f"{service.url}/api/waveform", timeout=60).status_code == 422
