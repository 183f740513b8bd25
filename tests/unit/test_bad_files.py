"""One file's fault is that file's alone, wherever in the pipeline it comes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest

from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sources import recording_id_of
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.clips import embed_files
from soundalike.encoders.modulation import Modulation
from soundalike.errors import ModelError, StoreError, StoreUnavailable
from soundalike.evaluation import evaluate, labelled_clips
from soundalike.indexing import items
from soundalike.indexing.dry_run import preview
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.limits import Limits
from soundalike.store import MemoryStore
from soundalike.store.base import Entry, Outcome
from soundalike.types import FloatArray, IndexSpec
from tests.fixtures.bad_files import GOOD

PLAN = WindowPlan(1.0, 1.0)
BAD = GOOD[1]


@pytest.fixture
def good(bad_files: Path) -> list[IndexItem]:
    return [IndexItem(str(bad_files / name)) for name in GOOD]


def codes_of(results: Any) -> dict[str, str | None]:
    return {Path(result.uri).name: result.error_code for result in results}


def only(code: str) -> dict[str, str | None]:
    return {name: code if name == BAD else None for name in GOOD}


@pytest.fixture
def decoding(
    harmful_environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[IsolatedDecoding]:
    for name, value in harmful_environ.items():
        monkeypatch.setenv(name, value)
    made = IsolatedDecoding(Limits.from_env(), 2)
    yield made
    made.close()


@pytest.mark.slow
def test_a_folder_of_bad_files_is_worked_through(
    decoding: IsolatedDecoding, bad_files: Path, check_alone: Callable[..., None]
):
    paths = sorted(bad_files.iterdir())
    pipeline = Pipeline(MemoryStore(), Modulation(), PLAN, decoding=decoding)
    check_alone(codes_of(pipeline.index(IndexItem(str(path)) for path in paths)))
    assert pipeline.store.status().files == len(GOOD)
    found = embed_files(paths, Modulation(), plan=PLAN, decoding=decoding)
    check_alone({Path(one.uri).name: one.error and one.error.code for one in found})


class Fussy(Modulation):
    """Refuses patches of one recording."""

    def __init__(self, refused: FloatArray, error: Exception) -> None:
        super().__init__()
        self.refused, self.error = refused, error

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed patches, unless some of them are refused."""
        if any(np.array_equal(patch, self.refused) for patch in log_mel):
            raise self.error
        return super().embed_patches(log_mel)


class Listening(Modulation):
    """Keeps the first patch that it sees."""

    first: FloatArray | None = None

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Embed patches."""
        self.first = log_mel[0] if self.first is None else self.first
        return super().embed_patches(log_mel)


@pytest.fixture
def fussy(bad_files: Path) -> Callable[[Exception], Fussy]:
    """Make an encoder that raises an error at the one bad recording."""
    listening = Listening()
    Pipeline(MemoryStore(), listening, PLAN).embed(bad_files / BAD)
    assert listening.first is not None
    first = listening.first
    return lambda error: Fussy(first, error)


def test_what_embedding_raises_is_the_files(
    fussy: Callable[..., Fussy], good: list[IndexItem], bad_files: Path
):
    encoder = fussy(ArithmeticError("odd"))
    pipeline = Pipeline(MemoryStore(), encoder, PLAN)
    assert codes_of(pipeline.index(good)) == only("audio.unexpected")
    assert pipeline.store.status().files == len(GOOD) - 1
    paths = [bad_files / name for name in GOOD]
    for per in ("window", "second", "file"):
        found = embed_files(paths, encoder, plan=PLAN, per=per)  # type: ignore[arg-type]
        codes = {Path(one.uri).name: one.error and one.error.code for one in found}
        assert codes == only("audio.unexpected")
    evaluation = evaluate(labelled_clips(paths), encoder, PLAN)
    assert [(Path(one.path).name, one.code) for one in evaluation.failed] == [(BAD, "audio.unexpected")]


def test_an_encoder_that_cannot_be_used_ends_the_run(
    fussy: Callable[..., Fussy], good: list[IndexItem], bad_files: Path
):
    pipeline = Pipeline(MemoryStore(), fussy(ModelError("broken")), PLAN)
    with pytest.raises(ModelError):
        list(pipeline.index(good))
    with pytest.raises(ModelError):
        list(embed_files([bad_files / BAD], pipeline.encoder))


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(MemoryStore(), Modulation(), PLAN)


@pytest.mark.parametrize("error", [ValueError("odd"), OSError(5, "Input/output error")])
def test_what_reading_raises_is_the_files(
    pipeline: Pipeline, good: list[IndexItem], error: Exception, monkeypatch: pytest.MonkeyPatch
):
    def reading(path: Path) -> str:
        if path.name == BAD:
            raise error
        return recording_id_of(path)

    monkeypatch.setattr(items, "recording_id_of", reading)
    assert codes_of(preview(pipeline, good)) == only("audio.unexpected")
    assert codes_of(pipeline.index(good)) == only("audio.unexpected")


def test_a_full_disk_is_told_as_such(
    pipeline: Pipeline, good: list[IndexItem], monkeypatch: pytest.MonkeyPatch
):
    def reading(path: Path) -> str:
        if path.name == BAD:
            raise OSError(28, "No space left on device")
        return recording_id_of(path)

    monkeypatch.setattr(items, "recording_id_of", reading)
    assert codes_of(pipeline.index(good)) == only("service.disk_full")


def test_what_is_said_of_one_file_cannot_end_the_run(pipeline: Pipeline, good: list[IndexItem]):
    wrong = [IndexItem(item.uri, tags={"n": float("nan")} if BAD in item.uri else {}) for item in good]
    assert codes_of(pipeline.index(wrong)) == only("parameter.invalid")
    # Also where the audio is known, and the path is only to be linked.
    assert [result.outcome for result in pipeline.index(good)].count("added") == 1
    assert codes_of(pipeline.index(wrong, checksum=True)) == only("parameter.invalid")


class Refusing(MemoryStore):
    """Refuses some recordings."""

    def __init__(self, error: Exception, names: Sequence[str]) -> None:
        super().__init__()
        self.error, self.names = error, names

    def add_many(self, entries: Sequence[Entry], spec: IndexSpec, **named: Any) -> list[Outcome]:
        """Store all or none."""
        if any(entry.recording.uri.endswith(tuple(self.names)) for entry in entries):
            raise self.error
        return super().add_many(entries, spec, **named)


def of_values() -> StoreError:
    error = StoreError("the database answered: value out of range")
    error.__cause__ = psycopg2.DataError("value out of range")
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyError("odd"), "audio.unexpected"), (StoreError("refused"), "store.error")],
    ids=["unexpected", "refused"],
)
def test_what_storing_raises_is_the_files(good: list[IndexItem], error: Exception, code: str):
    pipeline = Pipeline(Refusing(error, [BAD]), Modulation(), PLAN)
    assert codes_of(pipeline.index(good)) == only(code)


def test_a_value_that_is_refused_is_the_files_also_where_it_is_alone(good: list[IndexItem]):
    pipeline = Pipeline(Refusing(of_values(), [BAD]), Modulation(), PLAN)
    assert codes_of(pipeline.index(good[1:2])) == {BAD: "store.error"}
    pipeline = Pipeline(Refusing(of_values(), GOOD[:2]), Modulation(), PLAN)
    assert codes_of(pipeline.index(good[:2])) == dict.fromkeys(GOOD[:2], "store.error")


@pytest.mark.parametrize(
    ("error", "names"),
    [(StoreUnavailable("gone"), [BAD]), (StoreError("read-only"), GOOD)],
    ids=["unavailable", "stores nothing"],
)
def test_a_database_that_cannot_be_used_ends_the_run(
    good: list[IndexItem], error: StoreError, names: Sequence[str]
):
    pipeline = Pipeline(Refusing(error, names), Modulation(), PLAN)
    with pytest.raises(type(error)):
        list(pipeline.index(good))


def test_samples_that_are_too_large_for_the_encoder(
    tmp_path: Path, write_wav: Callable[..., Path], rng: np.random.Generator, recwarn: Any
):
    path = write_wav(tmp_path / "huge.wav", rng.standard_normal(32_000).astype(np.float32) * 3e37)
    pipeline = Pipeline(MemoryStore(), Modulation(), PLAN)
    (result,) = pipeline.index([IndexItem(str(path))])
    assert result.error_code in (None, "audio.invalid_samples")
    assert [str(one.message) for one in recwarn if "overflow" in str(one.message)] == []
