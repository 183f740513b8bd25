"""Share one network between threads: batches contain patches of several requests."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from soundalike.encoders.base import Encoder, Network, OneNetwork
from soundalike.encoders.fusion import Fusion
from soundalike.errors import ParameterError
from soundalike.runtime.stages import note, stage
from soundalike.types import FloatArray

#: Patches in a batch: nearly as fast as much larger batches, and the network accepts new requests about
#: every eighth of a second.
SHARED_BATCH_PATCHES = 32


@dataclass(eq=False, slots=True)
class _Request:
    """Patches of one caller; the first `taken` are already in a batch."""

    log_mel: FloatArray
    taken: int = 0
    rows: list[FloatArray] = field(default_factory=list)
    done: Future[FloatArray] = field(default_factory=Future)

    @property
    def left(self) -> int:
        return len(self.log_mel) - self.taken

    def take(self, count: int) -> FloatArray:
        begin, self.taken = self.taken, min(self.taken + count, len(self.log_mel))
        return self.log_mel[begin : self.taken]

    def give(self, rows: FloatArray) -> None:
        self.rows.append(rows)
        if sum(len(part) for part in self.rows) == len(self.log_mel):
            self.done.set_result(np.concatenate(self.rows))


def share_batches(encoder: Encoder, batch_patches: int = SHARED_BATCH_PATCHES) -> Encoder:
    """Return an encoder whose networks are thread-safe."""
    shared = [SharedBatches(part.network, batch_patches) for part in encoder.parts]
    if len(shared) == 1:
        return shared[0]
    return Fusion(shared, [part.weight for part in encoder.parts])


class SharedBatches(OneNetwork):
    """A thread-safe network.

    When the network is free, it takes the waiting patches, so a single request never waits for others.
    If more patches wait than fit into a batch, every request gets an equal share, and long requests get
    the unused rest. A query of a few seconds is thus finished with the next batch, even while hours of
    audio are being indexed.

    Parameters
    ----------
    network : Network
        Called by one thread at a time. Its vectors must not depend on the other patches of a batch.
    batch_patches : int
        Patches in a batch, at least 1.

    Raises
    ------
    ParameterError
        `batch_patches` is less than 1.
    """

    def __init__(self, network: Network, batch_patches: int = SHARED_BATCH_PATCHES) -> None:
        if batch_patches < 1:
            raise ParameterError(f"batch_patches is {batch_patches}; it must be above 0")
        self.name = network.name
        self.description = network.description
        self.fingerprint = network.fingerprint
        self.layout = network.layout
        self.level = network.level
        self._inner = network
        self._batch_patches = batch_patches
        self._waiting: list[_Request] = []
        self._lock = threading.Lock()
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._note_queue()

    @property
    def takes_log_mel(self) -> bool:
        """Whether the network takes log-mel patches."""
        return self._inner.takes_log_mel

    def window_gain(self, samples: FloatArray) -> float:
        """Return the network's factor for the samples of a window."""
        return self._inner.window_gain(samples)

    def front_end(self, samples: FloatArray) -> FloatArray:
        """Return what the network takes; every thread does so for itself."""
        return self._inner.front_end(samples)

    def pool(self, vectors: FloatArray) -> FloatArray:
        """Return what the network makes of its vectors."""
        return self._inner.pool(vectors)

    def embed_text(self, text: str) -> FloatArray:
        """Return the network's vector of a text; that has a network of its own."""
        return self._inner.embed_text(text)

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed patches, together with those of other threads."""
        if not len(log_mel):
            return self._inner.embed_patches(log_mel)
        request = _Request(log_mel)
        with stage("batching"):
            with self._lock:
                self._waiting.append(request)
                self._note_queue()
            self._network.submit(self._run_batch)
            return request.done.result()

    def _run_batch(self) -> None:
        with self._lock:
            parts = self._next_batch()
            self._note_queue()
        if not parts:
            return
        try:
            batch = np.concatenate([patches for _, patches in parts])
            note("batch_fill", len(batch) / self._batch_patches)
            with stage("network"):
                rows = self._inner.embed_patches(batch)
        except Exception as exc:
            self._fail([request for request, _ in parts], exc)
        else:
            begin = 0
            for request, patches in parts:
                request.give(rows[begin : begin + len(patches)])
                begin += len(patches)
        # Every request submitted one run; patches that did not fit need another.
        if self._waiting:
            self._network.submit(self._run_batch)

    def _note_queue(self) -> None:
        note("queued_patches", sum(request.left for request in self._waiting))

    def _next_batch(self) -> list[tuple[_Request, FloatArray]]:
        """Divide a batch among the waiting requests, the shortest first."""
        parts, room = [], self._batch_patches
        waiting = sorted(self._waiting, key=lambda request: request.left)
        for position, request in enumerate(waiting):
            if not room:
                break
            share = max(1, room // (len(waiting) - position))
            patches = request.take(share)
            room -= len(patches)
            parts.append((request, patches))
        self._waiting = [request for request in self._waiting if request.left]
        return parts

    def _fail(self, requests: list[_Request], exc: Exception) -> None:
        with self._lock:
            self._waiting = [request for request in self._waiting if request not in requests]
        for request in requests:
            request.done.set_exception(exc)
