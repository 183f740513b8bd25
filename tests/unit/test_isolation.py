"""Processes that may crash, hang and grow, and what those who use them see of it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from soundalike.audio.loading import load_audio
from soundalike.audio.sandbox import (
    IsolatedDecoding,
    ProcessCrashed,
    ProcessPool,
    ProcessTooSlow,
    close_shared,
    shared,
)
from soundalike.errors import (
    AudioNotFound,
    AudioTooLarge,
    AudioTooSlow,
    EmptyAudio,
    ServiceError,
    SoundalikeError,
    UnexpectedFault,
    UnreadableAudio,
)
from soundalike.limits import Limits
from tests.fixtures import misbehaving

# Each test starts processes, and some wait for their deadlines.
pytestmark = pytest.mark.slow


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
    # Its threads end one after the other, and it only counts as ended behind the last.
    threads = Path(f"/proc/{idle.pid}/task")
    wait_until(
        lambda: idle.status() == psutil.STATUS_ZOMBIE and len(list(threads.iterdir())) == 1,
        "it has ended",
    )
    assert pid_of(pool) != idle.pid


def test_a_call_that_a_killed_process_had_not_read_is_answered_by_another(pool: ProcessPool):
    killed = psutil.Process(pid_of(pool))
    killed.suspend()
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(pid_of, pool)
        # Killed now, it has not read the call.
        with pytest.raises(TimeoutError):
            answer.result(0.5)
        killed.kill()
        assert answer.result(30) != killed.pid


def test_what_hangs_is_killed_with_all_that_it_started(
    pool: ProcessPool, wait_until: Callable[..., Any]
):
    first = psutil.Process(pid_of(pool))
    # No other test's.
    command = ["sleep", f"600.{os.getpid()}"]
    with pytest.raises(ProcessTooSlow):
        pool.call(subprocess.run, command, timeout_s=1)
    wait_until(lambda: not first.is_running(), "the process is gone")
    wait_until(
        lambda: not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == command],
        "what it has started is gone",
    )
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


@pytest.mark.parametrize("way", ["crash", "hang", "grow"])
def test_after_a_mishap_the_next_decoder_is_asked(decoding: IsolatedDecoding, way: str):
    assert decoding.run(misbehaving.ask_in_turn, b"any", first=way, second="well") == "second"
    assert decoding.run(misbehaving.ask_in_turn, b"any", first="refuse", second=way, third="well") == (
        "third"
    )
    assert decoding.run(misbehaving.ask_in_turn, b"any", first=way, second="crash", third="well") == (
        "third"
    )


@pytest.mark.parametrize(
    ("ways", "error"),
    [
        ({"first": "crash", "second": "refuse"}, UnreadableAudio),
        ({"first": "refuse", "second": "crash"}, UnreadableAudio),
        ({"first": "hang", "second": "refuse"}, AudioTooSlow),
        ({"first": "hang", "second": "empty"}, AudioTooSlow),
        ({"first": "grow", "second": "refuse"}, AudioTooLarge),
        ({"first": "crash", "second": "hang"}, AudioTooSlow),
        ({"first": "hang", "second": "crash"}, UnreadableAudio),
        ({"first": "refuse", "second": "empty"}, EmptyAudio),
    ],
    ids=str,
)
def test_where_no_decoder_is_left_the_mishap_is_told(
    decoding: IsolatedDecoding, ways: dict[str, str], error: type[SoundalikeError]
):
    with pytest.raises(error) as caught:
        decoding.run(misbehaving.ask_in_turn, b"any", **ways)
    has_crashed = "crash" in ways.values() and error is UnreadableAudio
    assert ("crashed" in caught.value.message) == has_crashed


def test_a_header_that_crashes_is_no_reason_to_leave_a_recording_out(
    decoding: IsolatedDecoding, toy_data: Path
):
    path = toy_data / "siren" / "siren_1.mp3"
    assert decoding.run(misbehaving.take_behind_a_bad_header, path) == 10.0


@pytest.mark.parametrize(
    ("kind", "name"), [("division", "ZeroDivisionError"), ("unsendable", "RuntimeError")]
)
def test_what_nobody_foresaw_becomes_an_error_and_one_line_in_the_log(
    decoding: IsolatedDecoding, kind: str, name: str, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(UnexpectedFault, match=f"unexpected {name}.*upload of 3 bytes"):
        decoding.run(misbehaving.fail, b"any", kind)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.exc_info is None
    assert len(record.getMessage().splitlines()) == 1
    caplog.clear()
    with caplog.at_level("DEBUG", "soundalike"), pytest.raises(UnexpectedFault):
        decoding.run(misbehaving.fail, b"any", "division")
    assert "in fail" in caplog.text


def test_a_call_after_small_and_large_arrays_gets_its_own(pool: ProcessPool):
    for n_samples in (40_000, 30_000, 2_000_000, 50_000, 5, 40_000):
        found = pool.call(np.full, n_samples, n_samples % 977, dtype=np.float32, timeout_s=30)
        assert found.shape == (n_samples,)
        assert (found == n_samples % 977).all()


def test_an_earlier_array_stays_as_it_was(pool: ProcessPool):
    first = pool.call(np.full, 50_000, 1.0, dtype=np.float32, timeout_s=30)
    pool.call(np.full, 50_000, 2.0, dtype=np.float32, timeout_s=30)
    assert (first == 1.0).all()


def test_a_forked_process_knows_nothing_of_its_parent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SOUNDALIKE_API_KEY", "sesame-open")
    with (tmp_path / "open.txt").open("w"):
        forked = ProcessPool(1, 4096)
        forked._idle.append(forked._start(may_fork=True))
        process = psutil.Process(pid_of(forked))
        assert process.ppid() == os.getpid()
        assert forked.call(os.getenv, "SOUNDALIKE_API_KEY", timeout_s=30) is None
        assert forked.call(os.getsid, 0, timeout_s=30) == process.pid
        assert process.open_files() == []
        assert process.cwd() == "/"
        with pytest.raises(ProcessCrashed, match="SIGSEGV"):
            forked.call(ctypes.string_at, 0, timeout_s=30)
        assert pid_of(forked) != process.pid
        forked.close()


_LARGE = """
import numpy as np
import soundalike.audio.segmenter, soundfile
from soundalike.audio.sandbox import ProcessPool
large = bytearray(1 << 30)
pool = ProcessPool(1, 256)
pool.start(1, may_fork=True)
assert pool.call(np.ones, 1 << 20, timeout_s=30).sum() == 1 << 20
try:
    pool.call(np.ones, 1 << 26, timeout_s=30)
except MemoryError:
    print("limited")
"""


def test_a_process_that_is_forked_from_a_large_one_has_memory_of_its_own(project: Path):
    done = subprocess.run(
        [sys.executable, "-c", _LARGE], cwd=project, timeout=60, check=True, capture_output=True
    )
    assert done.stdout == b"limited\n"


def test_shared_decoding_is_one_and_can_be_closed_and_used_again():
    first = shared()
    assert shared() is first
    close_shared()
    assert shared() is not first
    assert shared().run(misbehaving.ask_in_turn, b"any", only="well") == "only"


_FORKING = """
import os, sys
from soundalike.audio.sandbox import shared
from tests.fixtures import misbehaving
before = shared().run(misbehaving.family, b"")
child = os.fork()
if child == 0:
    there = shared().run(misbehaving.family, b"")
    os._exit(0 if there[1] == os.getpid() else 1)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# The parent's process has been left in peace.
again = shared().run(misbehaving.family, b"")
sys.exit(status or (0 if before == again else 2))
"""


def test_after_a_fork_each_has_its_own_processes(project: Path):
    done = subprocess.run([sys.executable, "-c", _FORKING], cwd=project, timeout=60, check=False)
    assert done.returncode == 0


_HANGING = """
import sys
from pathlib import Path
import soundalike.audio.segmenter, soundfile
from soundalike.audio.sandbox import shared
from tests.fixtures import misbehaving
shared().start(1, may_fork=sys.argv[1] == "forked")
shared().run(misbehaving.tell_parent, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("how", ["forked", "spawned"])
def test_in_the_middle_of_a_call_it_ends_with_its_parent(
    how: str, project: Path, tmp_path: Path, wait_until: Callable[..., Any]
):
    told = tmp_path / "told.txt"
    told.touch()
    parent = subprocess.Popen([sys.executable, "-c", _HANGING, how, told], cwd=project)
    pid, folder = wait_until(told.read_text, "it is at work").split()
    worker = psutil.Process(int(pid))
    assert worker.ppid() == parent.pid
    parent.kill()
    parent.wait()
    # Long before the kernel would end it for the time that it has used.
    assert psutil.wait_procs([worker], timeout=15)[1] == []
    assert not Path(folder).exists()
