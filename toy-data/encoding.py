"""Writing the toy clips: soundfile for every format but AAC, which PyAV writes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import soundfile  # type: ignore[import-untyped, unused-ignore]
from acoustics import FloatArray

AAC_BIT_RATE_PER_CHANNEL = 32_000
AV_CODEC_FLAG_BITEXACT = 1 << 23
OGG_HEADER_BYTES = 27
OGG_POLYNOMIAL = 0x04C11DB7


class Container(NamedTuple):
    """How soundfile writes one file extension; a compression of 0 is the best quality."""

    file_format: str
    subtype: str
    compression_level: float | None = None
    bitrate_mode: str | None = None


CONTAINERS = {
    ".wav": Container("WAV", "PCM_16"),
    ".flac": Container("FLAC", "PCM_16", 1.0),
    ".ogg": Container("OGG", "VORBIS", 0.9),
    ".opus": Container("OGG", "OPUS", 0.87),
    ".mp3": Container("MP3", "MPEG_LAYER_III", 0.8, "VARIABLE"),
}


def write_audio(path: Path, samples: FloatArray, sample_rate_hz: int) -> None:
    """Write samples to a file in the format that its extension names.

    Parameters
    ----------
    path : pathlib.Path
        The file to write; its folder is made when missing.
    samples : FloatArray
        Samples between -1 and 1, of shape (samples, channels).
    sample_rate_hz : int
        Samples per second.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".m4a":
        _write_aac(path, samples, sample_rate_hz)
        return
    container = CONTAINERS[path.suffix]
    soundfile.write(
        path,
        samples,
        sample_rate_hz,
        format=container.file_format,
        subtype=container.subtype,
        compression_level=container.compression_level,
        bitrate_mode=container.bitrate_mode,
    )
    if container.file_format == "OGG":
        name_hash = hashlib.sha256(path.name.encode()).digest()
        path.write_bytes(with_ogg_serial(path.read_bytes(), name_hash[:4]))


def _write_aac(path: Path, samples: FloatArray, sample_rate_hz: int) -> None:
    """Write samples of shape (samples, channels) as AAC in an MPEG-4 file."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    planes = np.ascontiguousarray(samples.T, dtype=np.float32)
    with av.open(str(path), "w", format="ipod", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("aac", rate=sample_rate_hz, layout=layout)
        stream.bit_rate = AAC_BIT_RATE_PER_CHANNEL * samples.shape[1]
        stream.codec_context.flags |= AV_CODEC_FLAG_BITEXACT
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = sample_rate_hz, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def with_ogg_serial(data: bytes, serial: bytes) -> bytes:
    """Return an Ogg stream with another serial number in every page.

    libsndfile draws the serial number at random, which would make every run of the script
    write other bytes for the same sound.

    Parameters
    ----------
    data : bytes
        A whole Ogg file that holds one stream.
    serial : bytes
        The four bytes of the new serial number.

    Returns
    -------
    bytes
        The same pages with the serial number and their checksums replaced.
    """
    pages, first = [], 0
    while first < len(data):
        segment_count = data[first + OGG_HEADER_BYTES - 1]
        lacing_end = first + OGG_HEADER_BYTES + segment_count
        last = lacing_end + sum(data[first + OGG_HEADER_BYTES : lacing_end])
        page = bytearray(data[first:last])
        page[14:18], page[22:26] = serial, bytes(4)
        page[22:26] = _ogg_checksum(page).to_bytes(4, "little")
        pages.append(bytes(page))
        first = last
    return b"".join(pages)


def _ogg_checksum(page: bytes | bytearray) -> int:
    """Return the checksum of an Ogg page whose checksum field is zero."""
    checksum = 0
    for byte in page:
        checksum = ((checksum << 8) & 0xFFFFFFFF) ^ _OGG_TABLE[(checksum >> 24) ^ byte]
    return checksum


def _ogg_table() -> list[int]:
    """Return the checksum's contribution of each of the 256 byte values."""
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (OGG_POLYNOMIAL if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_OGG_TABLE = _ogg_table()
