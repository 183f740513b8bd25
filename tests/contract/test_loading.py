"""A vector index that is dropped before many additions, and built after them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.indexing.items import IndexItem
from soundalike.indexing.loading import begin_load
from soundalike.indexing.pipeline import Pipeline

INDEXES = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'windows\\_%\\_embedding'"


@pytest.fixture
def tones(tmp_path: Path, write_wav: Callable[..., Path], rng: Any) -> list[IndexItem]:
    """Make six files of noise."""
    paths = [write_wav(tmp_path / f"{n}.wav", rng.normal(0, 0.1, 16_000 * 4)) for n in range(6)]
    return [IndexItem(str(path)) for path in paths]


@pytest.mark.db
def test_the_index_is_dropped_for_as_many_new_files_as_are_stored(
    connect_store: Callable[..., Any], sql: Callable[..., Any], tones: list[IndexItem]
):
    pipeline = Pipeline(connect_store(exact_below=1), Modulation(), WindowPlan())
    assert not begin_load(pipeline, tones)
    list(pipeline.index(tones[:3]))
    assert sql(INDEXES) == [(1,)]

    # Known files do not count.
    assert not begin_load(pipeline, tones[:5])
    assert sql(INDEXES) == [(1,)]

    assert begin_load(pipeline, tones)
    assert sql(INDEXES) == [(0,)]
    assert not begin_load(pipeline, tones)
    # A run that was interrupted here leaves the building to the next one.
    list(pipeline.add(tones))
    assert len(pipeline.search(tones[0].uri).matches) == 6
    pipeline.store.finish_batch()
    assert sql(INDEXES) == [(1,)]
