"""Damaged, lying and overblown sounds, sent to the service as strangers may.

``SOUNDALIKE_FUZZ_FILES=5000 make test PYTEST_ARGS=tests/flow/test_fuzz.py`` tries more of them.
"""

from __future__ import annotations

import base64
import io
import os
import struct
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import soundfile

from tests.fixtures.mutations import clean_files, damaged_files

if TYPE_CHECKING:
    from tests.fixtures.service import Answer, Service

N_FILES = int(os.environ.get("SOUNDALIKE_FUZZ_FILES", "240"))
_SEED = 20_260_101
_BATCH = 40
_GROWTH_MB = 150
#: What may be wrong with a sound; anything else is a fault of the service.
_OF_SOUNDS = {
    *("audio.unreadable", "audio.empty", "audio.too_short", "audio.invalid_samples"),
    *("audio.silent_query", "audio.too_large", "audio.too_slow", "audio.no_track"),
}


@pytest.fixture
def stored(service: Service, toy_data: Path) -> Service:
    """Give a service that has something to find."""
    service.post("/index", {"uri": str(toy_data / "siren" / "siren_1.mp3")})
    return service


def _upload(service: Service, path: str, data: bytes) -> Answer:
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return service.request(path, body, f"multipart/form-data; boundary={boundary}")


def _lasting_mb(service: Service) -> float:
    """Return the memory of the processes that live as long as the service."""
    lasting = [one for one in service.program.everybody() if "sandbox" not in " ".join(one.cmdline())]
    return sum(one.memory_info().rss for one in lasting) / (1 << 20)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _found(service: Service, sound: bytes) -> list[Any]:
    answer = service.post("/search", {"audio_base64": _base64(sound)})
    assert answer.status == 200
    (doc,) = answer.json["data"]
    assert doc["error"] is None
    return list(doc["matches"])


@pytest.mark.timeout(7200)
def test_damaged_sounds_harm_nobody(
    stored: Service, toy_data: Path, record_property: Callable[[str, object], None]
):
    good = (toy_data / "siren" / "siren_1.mp3").read_bytes()
    assert _found(stored, good)
    codes: Counter[str | None] = Counter()
    sent, before_mb, longest_s = 0, 0.0, 0.0
    batch: list[tuple[str, bytes]] = []
    for item in damaged_files(toy_data, N_FILES, _SEED):
        batch.append(item)
        if len(batch) == _BATCH:
            begun = time.monotonic()
            answer = stored.post(
                "/search", *({"audio_base64": _base64(data)} for _, data in batch if data)
            )
            assert answer.status == 200, (answer.text, [name for name, _ in batch])
            longest_s = max(longest_s, time.monotonic() - begun)
            codes.update(doc["error_code"] for doc in answer.json["data"])
            for path in ("/api/search", "/api/waveform", "/api/spectrogram.png"):
                name, data = batch[sent // _BATCH % _BATCH]
                status = _upload(stored, path, data).status
                assert status in (200, 413, 415, 422), (path, name, status)
            sent, batch = sent + _BATCH, []
            if sent == max(_BATCH, N_FILES // 3 // _BATCH * _BATCH):
                before_mb = _lasting_mb(stored)
    grown_mb = _lasting_mb(stored) - before_mb

    record_property("sent", sent)
    record_property("codes", dict(codes))
    record_property("longest_batch_s", round(longest_s, 1))
    record_property("grown_mb", round(grown_mb))
    assert set(codes) <= {None, *_OF_SOUNDS}
    assert codes[None] > sent // 20, "some damage is small"
    assert codes["audio.unreadable"] > sent // 20
    assert grown_mb < _GROWTH_MB
    assert _found(stored, good)


@pytest.mark.parametrize("name", ["flac", "ogg"])
def test_a_small_file_of_hours_is_refused_in_time(stored: Service, name: str):
    """Silence takes next to no room."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8_000, 1, format=name.upper()) as out:
        for _ in range(61):
            out.write(np.zeros(8_000 * 60, dtype=np.float32))
    bomb = file.getvalue()
    assert len(bomb) < 3 << 20
    answer = stored.post("/search", {"audio_base64": _base64(bomb)})

    assert answer.status == 200
    assert answer.json["data"][0]["error_code"] == "audio.too_large"
    assert "3600 s" in answer.json["data"][0]["error"]
    upload = _upload(stored, "/api/search", bomb)
    assert (upload.status, upload.json["code"]) == (413, "audio.too_large")


def _wav(channels: int = 1, rate_hz: int = 16_000, bits: int = 16, length: int | None = None) -> bytes:
    data = bytes(range(256)) * 200
    frame = max(1, channels * bits // 8)
    form = struct.pack(
        "<HHIIHH", 1, channels % 65_536, rate_hz, rate_hz * frame % 2**32, frame % 65_536, bits
    )
    size = len(data) if length is None else length
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


ABSURD = {
    "no channels": _wav(channels=0),
    "65535 channels": _wav(channels=65_535),
    "1000 channels": _wav(channels=1_000),
    "rate 0": _wav(rate_hz=0),
    "rate 1": _wav(rate_hz=1),
    "rate of 4 GHz": _wav(rate_hz=2**32 - 1),
    "no bits": _wav(bits=0),
    "4 GB promised": _wav(length=2**32 - 1),
    "2 GB promised": _wav(length=2**31),
}


@pytest.mark.parametrize("data", ABSURD.values(), ids=ABSURD.keys())
def test_absurd_headers_are_no_more_than_damage(stored: Service, data: bytes):
    (doc,) = stored.post("/search", {"audio_base64": _base64(data)}).json["data"]
    assert doc["error_code"] in {None, *_OF_SOUNDS}


def test_processes_that_die_take_nobody_along(
    stored: Service, toy_data: Path, wait_until: Callable[..., Any]
):
    good = (toy_data / "siren" / "siren_1.mp3").read_bytes()
    _found(stored, good)
    decoders = [one for one in stored.program.everybody() if "sandbox" in " ".join(one.cmdline())]
    assert decoders
    for one in decoders:
        one.kill()
        wait_until(lambda one=one: one.status() == psutil.STATUS_ZOMBIE, "it has ended")
    for _ in range(4):
        assert _found(stored, good)


def test_every_clean_format_is_read(stored: Service, toy_data: Path):
    clean = clean_files(toy_data)
    answer = stored.post("/search", *({"audio_base64": _base64(data)} for data in clean.values()))
    wrong = {
        name: doc["error"]
        for name, doc in zip(clean, answer.json["data"], strict=True)
        if doc["error_code"]
    }
    assert wrong == {}
