"""Processes that may crash, hang and grow, and what those who use them see of it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from soundalike.audio import load_audio
from soundalike.errors import (
    AudioNotFound,
    AudioTooLarge,
    AudioTooSlow,
    EmptyAudio,
    ServiceError,
    UnreadableAudio,
)
from soundalike.isolation import IsolatedDecoding, ProcessCrashed, ProcessPool, ProcessTooSlow
from soundalike.limits import Limits
from tests.fixtures import misbehaving


def pid_of(pool: ProcessPool) -> int:
    return pool.call(os.getpid, timeout_s=30)


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    made = ProcessPool(2, 512)
    yield made
    made.close()


def test_a_call_returns_what_the_function_returns(pool: ProcessPool):
    assert pool.call(divmod, 17, 5, timeout_s=30) == (3, 2)
    assert pool.call(int, "ff", base=16, timeout_s=30) == 255
    assert pid_of(pool) != os.getpid()


def test_a_process_is_kept_for_the_next_call(pool: ProcessPool):
    assert pid_of(pool) == pid_of(pool)


@pytest.mark.parametrize("n_samples", [10, 100_000, 5_000_000], ids=["inline", "memory", "disk"])
def test_arrays_come_back_whole(pool: ProcessPool, tmp_path: Path, n_samples: int):
    found = pool.call(np.arange, n_samples, dtype=np.float32, timeout_s=30, folder=tmp_path)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.arange(n_samples, dtype=np.float32))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_function_is_raised_here(pool: ProcessPool):
    with pytest.raises(ZeroDivisionError):
        pool.call(divmod, 1, 0, timeout_s=30)
    with pytest.raises(EmptyAudio, match="0 bytes"):
        pool.call(load_audio, b"", timeout_s=30)
    assert pool.call(abs, -1, timeout_s=30) == 1


def test_a_crash_ends_the_call_and_nothing_else(pool: ProcessPool):
    before = pid_of(pool)
    with pytest.raises(ProcessCrashed, match="SIGSEGV"):
        pool.call(ctypes.string_at, 0, timeout_s=30)
    with pytest.raises(ProcessCrashed, match="exit status 3"):
        pool.call(os._exit, 3, timeout_s=30)
    assert pid_of(pool) != before


def test_a_process_that_was_killed_while_it_was_idle_is_not_used(
    pool: ProcessPool, wait_until: Callable[..., Any]
):
    idle = psutil.Process(pid_of(pool))
    idle.kill()
    wait_until(lambda: idle.status() == psutil.STATUS_ZOMBIE, "it has ended")
    assert pid_of(pool) != idle.pid


def test_what_hangs_is_killed_with_all_that_it_started(
    pool: ProcessPool, wait_until: Callable[..., Any]
):
    first = psutil.Process(pid_of(pool))
    command = ["sleep", "600"]
    with pytest.raises(ProcessTooSlow):
        pool.call(subprocess.run, command, timeout_s=1)
    wait_until(lambda: not first.is_running(), "the process is gone")
    left = [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == command]
    assert left == []
    assert pool.call(abs, -1, timeout_s=30) == 1


def test_what_a_killed_process_has_left_is_removed(pool: ProcessPool):
    folder = pool.call(os.getenv, "TMPDIR", timeout_s=30)
    assert Path(folder).is_dir()
    with pytest.raises(ProcessTooSlow):
        pool.call(time.sleep, 600, timeout_s=1)
    assert not Path(folder).exists()


def test_a_process_that_grows_gets_an_error(pool: ProcessPool):
    with pytest.raises(MemoryError):
        pool.call(bytearray, 1 << 30, timeout_s=30)
    assert pool.call(abs, -1, timeout_s=30) == 1


def test_a_process_is_told_no_secrets(pool: ProcessPool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOUNDALIKE_API_KEY", "sesame-open")
    monkeypatch.setenv("PGPASSWORD", "sesame-open")
    assert pool.call(os.getenv, "SOUNDALIKE_API_KEY", timeout_s=30) is None
    assert pool.call(os.getenv, "PGPASSWORD", timeout_s=30) is None


def test_many_threads_share_the_processes(pool: ProcessPool):
    with ThreadPoolExecutor(8) as threads:
        found = list(
            threads.map(lambda n: (n, pid_of(pool), pool.call(abs, -n, timeout_s=30)), range(40))
        )
    assert all(n == answer for n, _, answer in found)
    assert len({pid for _, pid, _ in found}) <= 2


def test_a_process_that_nobody_waits_for_ends_by_itself(wait_until: Callable[..., Any]):
    """The service was killed: an idle process sees it, a busy one runs out of processor time."""
    orphaned = ProcessPool(1, 512)
    process = psutil.Process(pid_of(orphaned))
    assert 0 < orphaned.call(misbehaving.processor_seconds, timeout_s=3) < 60
    orphaned._idle[0]._channel.close()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, "it ended")
    orphaned.close()


def test_a_closed_pool_takes_no_calls():
    closed = ProcessPool(1, 512, started=1)
    closed.close()
    with pytest.raises(ServiceError, match="stopping"):
        closed.call(abs, -1, timeout_s=30)


@pytest.fixture
def decoding() -> Iterator[IsolatedDecoding]:
    made = IsolatedDecoding(Limits(decode_s=1), 1)
    yield made
    made.close()


def test_sounds_are_decoded_as_they_are_here(decoding: IsolatedDecoding, toy_data: Path):
    path = toy_data / "siren" / "siren_1.mp3"
    here = load_audio(path)
    for source in (path, path.read_bytes()):
        there = decoding.run(load_audio, source)
        assert (there.duration_s, there.decoder, there.warnings) == (10.0, here.decoder, here.warnings)
        assert np.array_equal(there.samples, here.samples)


def test_long_sounds_come_back_mapped(
    decoding: IsolatedDecoding, tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator
):
    samples = rng.standard_normal(16_000 * 300).astype(np.float32) * 0.1
    found = decoding.run(load_audio, write_wav(tmp_path / "long.wav", samples), folder=tmp_path)
    assert np.array_equal(found.samples, samples)
    assert not found.samples.flags.writeable


def test_crashes_and_hangs_become_errors_of_the_sound(decoding: IsolatedDecoding, tmp_path: Path):
    path = tmp_path / "any.wav"
    path.write_bytes(b"any")
    with pytest.raises(UnreadableAudio, match=r"crashed on .*any.wav.*SIGABRT"):
        decoding.run(misbehaving.crash, path)
    with pytest.raises(AudioTooSlow, match="SOUNDALIKE_DECODE_S"):
        decoding.run(misbehaving.hang, path)
    with pytest.raises(AudioTooLarge, match="SOUNDALIKE_DECODER_MEMORY_MB"):
        decoding.run(misbehaving.grow, b"any")


def test_a_file_that_has_vanished_is_no_fault_of_the_service(tmp_path: Path):
    decoding = IsolatedDecoding(Limits(), 1)
    with pytest.raises(AudioNotFound, match=r"gone\.wav.*No such file"):
        decoding.run(load_audio, tmp_path / "gone.wav")
    decoding.close()
