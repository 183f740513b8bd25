"""Copies are grouped through any store, with a suggestion that deletes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from soundalike.audio.sandbox import shared
from soundalike.audio.windows import WindowPlan
from soundalike.encoders.modulation import Modulation
from soundalike.errors import IndexEmpty, ParameterError, RecordingNotFound
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.repeats.duplicates import Member, find_duplicates, group_to_json
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.repeats.sounds import Sounds
from soundalike.types import FloatArray

if TYPE_CHECKING:
    from soundalike.store import Store
    from tests.fixtures.collections import Collection

RATE_HZ = 16_000


def take(seed: int, duration_s: float) -> FloatArray:
    """Return knocks and tones whose order only the seed decides."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * rng.standard_normal(round(duration_s * RATE_HZ))
    time_s = np.arange(RATE_HZ // 2) / RATE_HZ
    for second in range(int(duration_s)):
        tone = np.sin(2 * np.pi * rng.uniform(300, 3000) * time_s) * np.exp(-8 * time_s)
        samples[second * RATE_HZ : second * RATE_HZ + len(tone)] += 0.3 * tone
    return samples.astype(np.float32)


def indexed(store: Store, folder: Path, sounds: dict[str, FloatArray]) -> None:
    for name, samples in sounds.items():
        soundfile.write(folder / name, samples, RATE_HZ)
    pipeline = Pipeline(store, Modulation(), WindowPlan())
    for result in pipeline.index([IndexItem(str(path)) for path in sorted(folder.iterdir())]):
        assert result.outcome in ("added", "linked"), result


def named(groups: list[list[Member]]) -> list[dict[str, Member]]:
    return [{Path(member.recording.uri).name: member for member in group} for group in groups]


def find(store: Store, **values: object) -> list[dict[str, Member]]:
    request = DuplicatesRequest(**values)  # type: ignore[arg-type]
    return named(find_duplicates(store, request, sounds=Sounds(shared())))


def test_copies_are_grouped_and_takes_are_not(store: Store, tmp_path: Path):
    one, other = take(1, 30.0), take(2, 20.0)
    indexed(
        store,
        tmp_path,
        {
            "one.wav": one,
            "one-excerpt.wav": one[7 * RATE_HZ : 17 * RATE_HZ + 123],
            "one-quiet.mp3": 0.3 * one,
            "one-same.wav": one,
            "other.wav": other,
            "other-begin.flac": other[: 12 * RATE_HZ],
            "third.wav": take(3, 20.0),
        },
    )
    ones, others = find(store)
    assert ones.keys() == {"one.wav", "one-excerpt.wav", "one-quiet.mp3", "one-same.wav"}
    assert others.keys() == {"other.wav", "other-begin.flac"}
    excerpt = ones["one-excerpt.wav"]
    assert (excerpt.start_s, excerpt.evidence, excerpt.suggestion) == (0.0, "sound", "remove")
    assert excerpt.offset_s == pytest.approx(7.0, abs=0.002)
    assert excerpt.end_s == pytest.approx(10.0 + 123 / RATE_HZ)
    assert excerpt.score > 0.95
    kept = [name for name, member in ones.items() if member.suggestion == "keep"]
    assert len(kept) == 1
    assert kept[0] in ("one.wav", "one-same.wav")
    assert {ones["one.wav"].evidence, ones["one-same.wav"].evidence} == {"content"}
    assert [m.suggestion for m in others.values()] == ["keep", "remove"]
    assert len(list(store.files())) == 7


def test_a_part_that_nothing_else_holds_is_kept(store: Store, tmp_path: Path):
    sound = take(4, 30.0)
    indexed(store, tmp_path, {"a.wav": sound[: 20 * RATE_HZ], "b.wav": sound[10 * RATE_HZ + 777 :]})
    (group,) = find(store)
    assert [member.suggestion for member in group.values()] == ["keep", "keep"]
    begin_s = 10 + 777 / RATE_HZ
    later = group["b.wav"]
    assert later.offset_s == pytest.approx(begin_s, abs=0.002)
    assert (later.start_s, later.end_s) == pytest.approx((0.0, 20 - begin_s), abs=0.002)


def test_an_excerpt_is_found_in_a_long_recording(store: Store, tmp_path: Path):
    long = take(5, 200.0)
    cut = long[150 * RATE_HZ + 4000 : 180 * RATE_HZ]
    indexed(store, tmp_path, {"long.wav": long, "cut.wav": cut, "else.wav": take(6, 150.0)})
    (group,) = find(store)
    assert list(group) == ["long.wav", "cut.wav"]
    assert group["cut.wav"].offset_s == pytest.approx(150.25, abs=0.002)


def test_files_that_are_gone_are_compared_by_vectors(store: Store, tmp_path: Path):
    sound = take(7, 30.0)
    indexed(store, tmp_path, {"a.wav": sound, "b.wav": 0.5 * sound, "c.wav": take(8, 30.0)})
    for path in tmp_path.iterdir():
        path.unlink()
    (group,) = find(store)
    assert group.keys() == {"a.wav", "b.wav"}
    assert [member.evidence for member in group.values()] == ["content", "vectors"]
    # Vectors alone are not enough to remove a file.
    assert [member.suggestion for member in group.values()] == ["keep", "keep"]


def test_files_with_the_same_bytes_are_a_group(store: Store, tmp_path: Path):
    sound = take(11, 10.0)
    indexed(store, tmp_path, {"a.wav": sound, "b.wav": sound, "c.wav": take(12, 10.0)})
    (group,) = find(store)
    assert [(name, member.evidence) for name, member in group.items()] == [
        ("a.wav", "content"),
        ("b.wav", "content"),
    ]
    assert [member.suggestion for member in group.values()] == ["keep", "remove"]


def test_only_recordings_under_a_path_are_compared(store: Store, tmp_path: Path):
    sound = take(9, 10.0)
    indexed(store, tmp_path, {"a1.wav": sound, "a2.flac": sound, "b.wav": 0.5 * sound})
    (group,) = find(store, under=str(tmp_path / "a"))
    assert group.keys() == {"a1.wav", "a2.flac"}
    with pytest.raises(RecordingNotFound, match="check the path"):
        find(store, under=str(tmp_path / "none"))


def test_the_json_of_a_group_has_what_a_program_needs(store: Store, tmp_path: Path):
    sound = take(10, 10.0)
    indexed(store, tmp_path, {"a.wav": sound, "b.wav": sound[5000:]})
    (group,) = find_duplicates(store, DuplicatesRequest(), sounds=Sounds(shared()))
    row = group_to_json(1, group)
    assert row["group"] == 1
    assert [Path(member["uri"]).name for member in row["members"]] == ["a.wav", "b.wav"]
    assert {"uri", "start_s", "end_s", "offset_s", "score", "suggestion"} <= row["members"][1].keys()
    assert row["members"][1]["offset_s"] == pytest.approx(5000 / RATE_HZ, abs=0.002)


def test_a_collection_that_does_not_exist_is_refused(store: Store, collection: Collection):
    with pytest.raises(IndexEmpty):
        find_duplicates(store, DuplicatesRequest())
    with pytest.raises(ParameterError):
        find_duplicates(store, DuplicatesRequest(collection="No Name"))
    collection.add("/a/one.wav")
    assert find_duplicates(store, DuplicatesRequest()) == []
