"""Forms of a vector index: how each is made, and the statements that ask it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.store import SPEC
from benchmarks.vectors import Archive
from soundalike.filters import Filters
from soundalike.store import index_layouts, prepared, searching
from soundalike.store.collections import Collection
from soundalike.types import FloatArray

_TOP_K = 10
#: Windows that a search for ten recordings asks for, and with a filter.
_LIMIT, _NARROWED_LIMIT = 32, 48
_HNSW = (
    "SET LOCAL jit = off; SET LOCAL hnsw.iterative_scan = 'relaxed_order'; "
    "SET LOCAL hnsw.ef_search = {effort};"
)
# The outer ranking by stored vectors takes the place of DiskANN's own, which needs a column of vectors.
_DISKANN = (
    "SET LOCAL jit = off; SET LOCAL diskann.query_search_list_size = {effort}; "
    "SET LOCAL diskann.query_rescore = 0;"
)
_SEARCH = """
SELECT q.query_window, h.recording_id::text, 1 - h.distance
FROM unnest({sent}, %(query_windows)s::integer[]) AS q ({columns}, query_window)
CROSS JOIN LATERAL (
    SELECT c.recording_id, c.embedding <=> q.embedding AS distance
    FROM (
        SELECT w.recording_id, w.embedding FROM soundalike.windows_{collection} AS w
        WHERE w.embedding IS NOT NULL {filters} ORDER BY {order} LIMIT {candidates}
    ) AS c
    ORDER BY distance LIMIT {limit}
) AS h
"""


@dataclass(frozen=True)
class Answer:
    """Recordings and scores of the windows that a search found, and whether the index gave up."""

    hits: Sequence[tuple[str, float]]
    is_short: bool = False

    def best_windows(self) -> list[float]:
        """Return the ten best scores of windows."""
        return sorted((score for _, score in self.hits), reverse=True)[:_TOP_K]

    def best_recordings(self) -> list[float]:
        """Return the scores of the ten best recordings."""
        best: dict[str, float] = {}
        for recording, score in self.hits:
            best[recording] = max(score, best.get(recording, -2.0))
        return sorted(best.values(), reverse=True)[:_TOP_K]


@dataclass(frozen=True)
class StoreSearch:
    """A whole search as Soundalike makes it."""

    collection: Collection

    def ask(self, cursor: Any, vectors: FloatArray, filters: Filters) -> Answer:
        """Return the windows of the ten best recordings."""
        found = searching.search(cursor, self.collection, vectors, _TOP_K, filters)
        assert found is not None
        return Answer([(hit.recording_id, hit.score) for hit in found.hits])


@dataclass(frozen=True)
class Statement:
    """A statement that reads `candidates` windows from an index and ranks them by their vectors.

    `effort` is the size of the candidate list of the scan.
    """

    form: Form
    collection: Collection
    centre: str
    candidates: int
    effort: int

    @property
    def name(self) -> str:
        """Name in the report."""
        return f"{self.form.layout}, {self.candidates} of {self.effort}"

    def ask(self, cursor: Any, vectors: FloatArray, filters: Filters) -> Answer:
        """Return the nearest windows, prepared as in a search: only without a filter."""
        narrowed = searching.conditions(self.collection, filters)
        parameters = self._parameters(vectors)
        if narrowed:
            limit = _NARROWED_LIMIT
            settings, statement = self._texts(narrowed, limit)
            cursor.execute(settings + statement, {**searching.filter_values(filters), **parameters})
        else:
            limit = _LIMIT
            settings, statement = self._texts("", limit)
            prepared.execute(cursor, statement, parameters, before=settings)
        rows = cursor.fetchall()
        return Answer([row[1:] for row in rows], is_short=len(rows) < limit * len(vectors))

    def _texts(self, narrowed: str, limit: int) -> tuple[str, str]:
        """Return settings and statement."""
        candidates = max(self.candidates, limit)
        has_bits = "bits" in self.form.order
        statement = _SEARCH.format(
            sent="%(vectors)s::halfvec[]" + (", %(bits)s::varbit[]" if has_bits else ""),
            columns="embedding, bits" if has_bits else "embedding",
            order=self.form.filled(self.form.order, self.centre),
            **{"collection": self.collection.collection_id, "filters": narrowed},
            **{"candidates": candidates, "limit": limit},
        )
        return self.form.settings.format(effort=max(self.effort, candidates)), statement

    def _parameters(self, vectors: FloatArray) -> dict[str, Any]:
        sent = {
            "vectors": searching.vector_texts(vectors),
            "query_windows": list(range(len(vectors))),
        }
        if "bits" in self.form.order:
            sent["bits"] = index_layouts.bits(vectors, self.centre)
        return sent

    def pages(self, cursor: Any, clips: FloatArray, count: int = 50) -> float:
        """Return how many pages of index and table a search for one vector reads, cached or not."""
        settings, statement = self._texts("", _LIMIT)
        read = []
        for clip in clips[:count]:
            analyzed = f"{settings} EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {statement}"
            cursor.execute(analyzed, self._parameters(clip[:1]))
            plan = cursor.fetchone()[0][0]["Plan"]
            read.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return round(float(np.mean(read)))


@dataclass(frozen=True)
class Form:
    """A form of the vector index.

    Attributes
    ----------
    layout : str
        Name in the report.
    method : str
        The index after ``USING``.
    order : str
        By which a search reads it.
    efforts : tuple
        Pairs of the windows to read and the size of the candidate list, first that of a search.
    numbers : int
        Size of an entry's vector, in numbers of half precision.
    is_offered : bool
        Whether Soundalike has it.
    needs : str
        Extension.
    """

    layout: str
    method: str
    order: str
    efforts: tuple[tuple[int, int], ...]
    numbers: int = SPEC.dimension
    is_offered: bool = False
    needs: str = ""
    settings: str = field(default=_HNSW, repr=False)

    @property
    def index(self) -> str:
        """Name of the index; the first is that of the collection."""
        return "windows_1_embedding" + ("" if self.layout == "halfvec" else "_" + self.layout)

    def filled(self, text: str, centre: str) -> str:
        """Return a part of a statement with the dimension and the centre."""
        return text.replace("{centre}", centre).replace("{dimension}", str(SPEC.dimension))

    def create(self, collection: Collection, centre: str) -> str:
        """Return the statement that makes the index."""
        table = f"soundalike.windows_{collection.collection_id}"
        return f"CREATE INDEX {self.index} ON {table} USING {self.filled(self.method, centre)}"

    def statements(self, collection: Collection, centre: str) -> list[Statement]:
        """Return the ways to ask the index."""
        return [Statement(self, collection, centre, *effort) for effort in self.efforts]


def _subvector(numbers: int) -> Form:
    # The cast gives the expression the length that an index needs.
    first = f"subvector({{}}.embedding, 1, {numbers})::halfvec({numbers})"
    return Form(
        f"subvector_{numbers}",
        f"hnsw (({first.replace('{}.', '')}) halfvec_cosine_ops) WITH (m = 16, ef_construction = 128)",
        f"({first.replace('{}', 'w')}) <=> {first.replace('{}', 'q')}",
        ((96, 96), (192, 192), (384, 384)),
        numbers=numbers,
    )


_BITS = "(binary_quantize({}embedding - '{centre}'::halfvec)::bit({dimension}))"
_ALL: Iterable[Form] = (
    Form(
        "halfvec",
        "hnsw (embedding halfvec_cosine_ops) WITH (m = 24, ef_construction = 128)",
        "w.embedding <=> q.embedding",
        ((32, 40), (32, 64), (32, 100)),
        is_offered=True,
    ),
    Form(
        "bit",
        f"hnsw ({_BITS.replace('{}', '')} bit_hamming_ops) WITH (m = 16, ef_construction = 128)",
        f"{_BITS.replace('{}', 'w.')} <~> q.bits::bit({{dimension}})",
        ((96, 96), (64, 64), (128, 128), (192, 192), (256, 256), (384, 384)),
        numbers=SPEC.dimension // 16,
        is_offered=True,
    ),
    # A quarter of the memory of halfvec, and a third.
    _subvector(48),
    _subvector(128),
    Form(
        "diskann",
        "diskann ((embedding::vector({dimension})) vector_cosine_ops)",
        "(w.embedding::vector({dimension})) <=> q.embedding::vector({dimension})",
        ((96, 100), (32, 100), (192, 200)),
        needs="vectorscale",
        settings=_DISKANN,
    ),
)
FORMS = {form.layout: form for form in _ALL}


def processor_ms(backend: int) -> float:
    """Return the processor time of this thread and of a server process; only its own of a remote server.

    Other work on the machine hardly changes it. Not with parallel workers of the server.
    """
    try:
        of_server = int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e6
    except OSError:
        of_server = 0.0
    return time.thread_time() * 1e3 + of_server


@cache
def _additions(count: int) -> list[str]:
    windows = 5
    rows = Archive(windows=windows, seed=7).recordings(-(-count // windows))
    return searching.vector_texts(rows.reshape(-1, SPEC.dimension)[:count])


def insert_ms(cursor: Any, others: Sequence[str], count: int) -> float:
    """Return the processor time of adding windows without the other indexes, and roll back."""
    cursor.execute(
        "CREATE TEMPORARY TABLE added ON COMMIT DROP AS "
        "SELECT r.recording_id, v.n, v.embedding "
        "FROM unnest(%s::halfvec[]) WITH ORDINALITY AS v (embedding, n) JOIN (SELECT recording_id, "
        "row_number() OVER () AS n FROM soundalike.recordings LIMIT 1000) AS r ON r.n = (v.n + 4) / 5",
        (_additions(count),),
    )
    for index in others:
        cursor.execute(f"DROP INDEX soundalike.{index}")
    backend = cursor.connection.info.backend_pid
    began = processor_ms(backend)
    cursor.execute(
        "INSERT INTO soundalike.windows_1 "
        "(recording_id, window_index, window_time, start_s, end_s, embedding) "
        "SELECT recording_id, 1000 + n, '2020-01-01', 0, 4, l2_normalize(embedding) FROM added"
    )
    spent = processor_ms(backend) - began
    assert cursor.rowcount == count
    cursor.connection.rollback()
    return spent
