"""Keep the null model of each collection: make it when it is missing, and again after growth."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from soundalike.errors import StoreError
from soundalike.scores.fitting import SampledRecording, fit
from soundalike.scores.null_model import NullModel

_log = logging.getLogger(__name__)
_Key = TypeVar("_Key", bound=Hashable)
#: How long a model is used before it is read again, and how often growth is looked for.
_KEEP_S, _LOOK_S = 60.0, 10.0


class Sample(NamedTuple):
    """A random sample of a collection, and its number of recordings."""

    recordings: list[SampledRecording]
    collection_size: int


@dataclass
class _Kept:
    model: NullModel | None
    read_at: float
    looked_at: float = -_LOOK_S
    may_have_grown: bool = False


class NullModels(Generic[_Key]):
    """The null models of the collections of a store; thread-safe.

    No error leaves this class: without a model, searches have no false-alarm rates.

    Parameters
    ----------
    load : callable
        Returns the stored model of a collection, or None.
    save : callable
        Stores the model of a collection.
    sample : callable
        Returns a sample of a collection.
    count : callable
        Returns the number of recordings of a collection.
    """

    def __init__(
        self,
        load: Callable[[_Key], NullModel | None],
        save: Callable[[_Key, NullModel], None],
        sample: Callable[[_Key], Sample],
        count: Callable[[_Key], int],
    ) -> None:
        self._load, self._save, self._sample, self._count = load, save, sample, count
        self._kept: dict[_Key, _Kept] = {}
        self._making = threading.Lock()

    def current(self, key: _Key) -> NullModel | None:
        """Return the model of a collection; a missing one is made, unless another thread does."""
        kept = self._kept.get(key)
        if kept is None or time.monotonic() - kept.read_at > _KEEP_S:
            kept = self._read(key)
            if kept.model is None:
                self._make(key)
        if kept.may_have_grown:
            self.look_for_growth(key)
        return self._kept[key].model

    def look_for_growth(self, key: _Key) -> None:
        """Make the model again if the collection has grown enough; cheap to call often."""
        kept = self._kept.get(key) or self._read(key)
        kept.may_have_grown = True
        now = time.monotonic()
        if now - kept.looked_at < _LOOK_S:
            return
        kept.looked_at, kept.may_have_grown = now, False
        try:
            size = self._count(key)
        except StoreError as exc:
            _log.debug("the recordings were not counted: %s", exc)
            return
        if kept.model is None or not kept.model.fits(size):
            self._make(key)

    def renew(self, key: _Key) -> None:
        """Make the model again."""
        self._read(key)
        self._make(key)

    def _read(self, key: _Key) -> _Kept:
        try:
            model = self._load(key)
        except StoreError as exc:
            _log.debug("the null model was not read: %s", exc)
            model = None
        before = self._kept.get(key)
        looked_at = before.looked_at if before else -_LOOK_S
        kept = _Kept(model, time.monotonic(), looked_at, bool(before and before.may_have_grown))
        self._kept[key] = kept
        return kept

    def _make(self, key: _Key) -> None:
        """Make and store the model, unless another thread makes one."""
        if not self._making.acquire(blocking=False):
            return
        try:
            sample = self._sample(key)
            model = fit(sample.recordings, sample.collection_size)
            if model is None:
                return
            self._kept[key].model = model
            self._save(key, model)
        except StoreError as exc:
            # For example, this role may only read.
            _log.debug("the null model was not stored: %s", exc)
        finally:
            self._making.release()
