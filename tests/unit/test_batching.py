"""One encoder for many threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from soundalike.encoders.batching import SharedBatches
from soundalike.errors import ParameterError
from soundalike.types import FloatArray


class Gate:
    """An encoder whose batches wait until they are let through; a patch's vector is its first number."""

    name, description, fingerprint = "gate", "lets batches through", "0"

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Semaphore(0)
        self.threads: set[int] = set()

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Wait to be let through."""
        self.threads.add(threading.get_ident())
        self.entered.release()
        assert self.opened.acquire(timeout=20)
        self.batches.append(log_mel[:, 0, 0].tolist())
        if (log_mel < 0).any():
            raise ValueError("a number below zero")
        return np.repeat(log_mel[:, 0, :1], 128, axis=1)

    def let(self, batches: int = 1) -> None:
        """Let so many batches through."""
        self.opened.release(batches)

    def wait_until_busy(self) -> None:
        """Wait until a batch has come in that was not waited for before."""
        assert self.entered.acquire(timeout=20)


def patches(*numbers: float) -> FloatArray:
    return np.broadcast_to(
        np.array(numbers, np.float32).reshape(-1, 1, 1), (len(numbers), 96, 64)
    ).copy()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


@contextmanager
def busy(gate: Gate, shared: SharedBatches, pool: ThreadPoolExecutor) -> Iterator[Future[FloatArray]]:
    """Keep the encoder busy with a batch of its own while others come; then let everything through."""
    first = pool.submit(shared.embed_patches, patches(1000))
    gate.wait_until_busy()
    yield first
    gate.let(100)


def wait_for(shared: SharedBatches, count: int) -> None:
    """Wait until so many requests are queued behind the batch that runs."""
    tick = threading.Event()
    for _ in range(2000):
        with shared._lock:
            if len(shared._waiting) == count:
                return
        tick.wait(0.005)
    raise AssertionError(f"{len(shared._waiting)} instead of {count} requests wait")


def values(future: Future[FloatArray]) -> list[float]:
    rows = future.result(timeout=20)
    assert rows.shape[1] == 128
    return rows[:, 0].tolist()


def test_a_lone_request_is_not_kept_waiting(gate: Gate):
    gate.let()
    assert SharedBatches(gate).embed_patches(patches(1, 2, 3))[:, 0].tolist() == [1, 2, 3]
    assert gate.batches == [[1, 2, 3]]


def test_says_what_the_encoder_says(gate: Gate):
    shared = SharedBatches(gate)
    assert (shared.name, shared.description, shared.fingerprint) == ("gate", "lets batches through", "0")


def test_nothing_gives_what_the_encoder_gives(gate: Gate):
    gate.let()
    assert SharedBatches(gate).embed_patches(patches()).shape == (0, 128)


def test_more_than_a_batch_comes_back_in_order(gate: Gate):
    gate.let(10)
    rows = SharedBatches(gate, 4).embed_patches(patches(*range(10)))
    assert rows[:, 0].tolist() == list(range(10))
    assert [len(batch) for batch in gate.batches] == [4, 4, 2]


def test_who_waits_shares_the_next_batch(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 8)
    with busy(gate, shared, pool) as first:
        others = [pool.submit(shared.embed_patches, patches(n, n + 0.5)) for n in range(4)]
        wait_for(shared, 4)
    assert values(first) == [1000]
    assert [values(other) for other in others] == [[n, n + 0.5] for n in range(4)]
    assert gate.batches[0] == [1000]
    assert sorted(gate.batches[1]) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    assert len(gate.batches) == 2


def test_a_short_request_is_through_with_the_next_batch(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 8)
    with busy(gate, shared, pool):
        long = pool.submit(shared.embed_patches, patches(*range(100, 140)))
        wait_for(shared, 1)
        short = pool.submit(shared.embed_patches, patches(1, 2))
        wait_for(shared, 2)
        gate.let(2)
        assert values(short) == [1, 2]
        assert not long.done()
    assert values(long) == list(range(100, 140))
    assert gate.batches[1] == [1, 2, *range(100, 106)]


def test_long_requests_get_equal_shares(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 8)
    with busy(gate, shared, pool):
        one = pool.submit(shared.embed_patches, patches(*range(100, 112)))
        two = pool.submit(shared.embed_patches, patches(*range(200, 212)))
        wait_for(shared, 2)
    assert values(one) == list(range(100, 112))
    assert values(two) == list(range(200, 212))
    assert [sum(number < 200 for number in batch) for batch in gate.batches[1:]] == [4, 4, 4]


def test_more_requests_than_a_batch_holds(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 4)
    with busy(gate, shared, pool):
        others = [pool.submit(shared.embed_patches, patches(n, -0.0)) for n in range(30)]
        wait_for(shared, 30)
    assert [values(other)[0] for other in others] == list(range(30))
    assert max(len(batch) for batch in gate.batches) == 4


def test_one_thread_at_a_time_calls_the_encoder(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 2)
    gate.let(1000)
    assert list(pool.map(lambda n: shared.embed_patches(patches(n))[0, 0], range(50))) == list(range(50))
    assert len(gate.threads) == 1


def test_an_error_reaches_whoever_was_in_the_batch_and_nobody_else(gate: Gate, pool: ThreadPoolExecutor):
    shared = SharedBatches(gate, 4)
    with busy(gate, shared, pool) as first:
        bad = pool.submit(shared.embed_patches, patches(*[-1] * 9))
        wait_for(shared, 1)
    assert values(first) == [1000]
    with pytest.raises(ValueError, match="below zero"):
        bad.result(timeout=20)
    gate.let(10)
    assert shared.embed_patches(patches(7))[0, 0] == 7
    # What was left of the request that failed is not computed any more.
    assert [len(batch) for batch in gate.batches] == [1, 4, 1]


def test_batch_without_room(gate: Gate):
    with pytest.raises(ParameterError, match="batch_patches is 0"):
        SharedBatches(gate, 0)
