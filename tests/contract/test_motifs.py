"""Sounds that occur again and again are found in any store, in sound and in vectors alone."""

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
from soundalike.events.listening import Listener
from soundalike.indexing.pipeline import IndexItem, Pipeline
from soundalike.repeats.motifs import Motif, find_motifs, motif_to_json
from soundalike.repeats.requests import MotifsRequest
from soundalike.types import FloatArray

if TYPE_CHECKING:
    from soundalike.store import Store

RATE_HZ = 16_000
CALLS_S = {"one": (12.3, 40.7, 77.0, 130.2), "two": (20.4, 95.6, 150.1)}
KNOCKS_S = {"one": (60.0, 110.0), "two": (45.5, 120.9, 170.3)}
CALL_S, KNOCK_S = 1.2, 2.4


def call() -> FloatArray:
    time_s = np.arange(round(CALL_S * RATE_HZ)) / RATE_HZ
    return (0.1 * np.sin(2 * np.pi * (1200 * time_s + 400 * time_s**2))).astype(np.float32)


def knock() -> FloatArray:
    time_s = np.arange(round(KNOCK_S * RATE_HZ)) / RATE_HZ
    return (0.4 * np.sin(2 * np.pi * 250 * time_s) * np.exp(-12 * (time_s % 0.3))).astype(np.float32)


@pytest.fixture
def archive(store: Store, tmp_path: Path) -> Store:
    """Index two recordings with calls and knocks in noise, one with a single call, and one of a hum."""
    rng = np.random.default_rng(1)
    for name in ("one", "two", "once", "hum"):
        samples = 0.01 * rng.standard_normal(200 * RATE_HZ)
        for sound, places in ((call(), CALLS_S), (knock(), KNOCKS_S)):
            for at_s in places.get(name, ()):
                samples[round(at_s * RATE_HZ) :][: len(sound)] += sound
        if name == "hum":
            samples += 0.1 * np.sin(2 * np.pi * 120 * np.arange(len(samples)) / RATE_HZ)
        (tmp_path / "night").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "night" / f"{name}.wav", samples, RATE_HZ)
    pipeline = Pipeline(store, Modulation(), WindowPlan())
    results = pipeline.index([IndexItem(str(path)) for path in sorted(tmp_path.rglob("*.wav"))])
    assert {result.outcome for result in results} == {"added"}
    return store


def places(motif: Motif) -> list[tuple[str, float]]:
    return [(Path(event.recording.uri).stem, event.start_s) for event in motif.events]


def test_motifs_are_found_with_their_times(archive: Store):
    found = find_motifs(archive, MotifsRequest(), listener=Listener(Modulation(), shared()))
    calls, knocks = found
    for motif, planted, length_s in ((calls, CALLS_S, CALL_S), (knocks, KNOCKS_S, KNOCK_S)):
        expected = [(name, at) for name, all_s in planted.items() for at in all_s]
        assert [name for name, _ in places(motif)] == [name for name, _ in expected]
        assert [at for _, at in places(motif)] == pytest.approx([at for _, at in expected], abs=0.35)
        assert motif.example in motif.events
        assert motif.example.end_s - motif.example.start_s == pytest.approx(length_s, abs=0.4)
        assert motif.labels == {"night": len(motif.events)}
    assert [each.score for each in calls.events] == pytest.approx([1.0] * 7, abs=0.1)


def test_a_budget_reads_the_surroundings(archive: Store):
    request = MotifsRequest(reread_s=350.0)
    calls = find_motifs(archive, request, listener=Listener(Modulation(), shared()))[0]
    expected = [at for planted_s in CALLS_S.values() for at in planted_s]
    assert [at for _, at in places(calls)] == pytest.approx(expected, abs=0.35)


def test_rarer_sounds_and_other_paths_are_left_out(archive: Store, tmp_path: Path):
    listener = Listener(Modulation(), shared())
    only = find_motifs(archive, MotifsRequest(min_count=6), listener=listener)
    assert [len(motif.events) for motif in only] == [7]
    two = find_motifs(archive, MotifsRequest(under=str(tmp_path / "night" / "two")), listener=listener)
    assert [places(motif)[0][0] for motif in two] == ["two", "two"]
    assert len(find_motifs(archive, MotifsRequest(limit=1), listener=listener)) == 1


def test_vectors_alone_give_seconds(archive: Store, tmp_path: Path):
    for path in tmp_path.rglob("*.wav"):
        path.unlink()
    found = find_motifs(archive, MotifsRequest(), listener=Listener(Modulation(), shared()))
    expected = [(name, at) for name, all_s in CALLS_S.items() for at in all_s]
    planted = {(name, int(at)) for name, at in expected}
    seen = {(name, round(at)) for motif in found for name, at in places(motif)}
    assert len({(name, at) for name, at in planted if {(name, at), (name, at - 1)} & seen}) >= 5
    assert all(event.start_s % 1 == 0 for motif in found for event in motif.events)


def test_the_json_of_a_motif_has_what_a_program_needs(archive: Store):
    (first, _) = find_motifs(archive, MotifsRequest(), listener=Listener(Modulation(), shared()))
    row = motif_to_json(1, first)
    assert (row["motif"], row["count"], row["labels"]) == (1, 7, {"night": 7})
    assert len(row["events"]) == 7
    assert {"uri", "start_s", "end_s", "score"} <= row["events"][0].keys()
    assert row["example"] in row["events"]


def test_a_collection_that_does_not_exist_is_refused(store: Store):
    with pytest.raises(IndexEmpty):
        find_motifs(store, MotifsRequest())


@pytest.mark.parametrize("values", [{"min_count": 1}, {"limit": 0}, {"reread_s": float("nan")}])
def test_values_out_of_range_are_refused(values: dict[str, float]):
    with pytest.raises(ParameterError, match=next(iter(values))):
        MotifsRequest(**values)  # type: ignore[arg-type]


def test_nothing_under_a_path_is_an_error(archive: Store, tmp_path: Path):
    with pytest.raises(RecordingNotFound, match="check the path"):
        find_motifs(archive, MotifsRequest(under=str(tmp_path / "day")))


def test_sounds_of_short_recordings_are_found(store: Store, tmp_path: Path):
    rng = np.random.default_rng(2)
    for number in range(8):
        samples = 0.01 * rng.standard_normal(4 * RATE_HZ)
        at = round((0.3 + 0.3 * number) * RATE_HZ)
        if number < 5:
            samples[at:][: len(call())] += call()
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE_HZ)
    pipeline = Pipeline(store, Modulation(), WindowPlan())
    list(pipeline.index([IndexItem(str(path)) for path in sorted(tmp_path.glob("*.wav"))]))
    (calls,) = find_motifs(store, MotifsRequest(), listener=Listener(Modulation(), shared()))
    assert places(calls) == [
        (str(number), pytest.approx(0.3 + 0.3 * number, abs=0.2)) for number in range(5)
    ]
    # By vectors alone, recordings in which nothing stands out are left out.
    alone = find_motifs(store, MotifsRequest())
    assert {name for motif in alone for name, _ in places(motif)} <= {str(n) for n in range(5)}
