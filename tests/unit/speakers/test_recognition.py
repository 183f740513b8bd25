"""Enrol, identify and verify, with the weight-free encoder and a store in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from soundalike.encoders.choice import load_encoder
from soundalike.encoders.modulation import Modulation
from soundalike.errors import AudioNotFound, ParameterError, SpeakerNotFound
from soundalike.speakers.answer_json import identification_json, verification_json
from soundalike.speakers.recognition import Recognition
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.voice import VoiceEncoder, speech_vector
from soundalike.store import MemoryStore
from tests.fixtures.models import WAVEFORM, Make
from tests.fixtures.voices import voice

STRICT = Acceptance(threshold=0.9)


@pytest.fixture
def recognition() -> Recognition:
    return Recognition(MemoryStore(), VoiceEncoder(Modulation()))


@pytest.fixture
def write_voice(tmp_path: Path, write_wav: Callable[..., Path]) -> Callable[..., Path]:
    """Write a synthetic voice."""

    def write(name: str, pitch_hz: float, seed: int, gain: float = 1.0) -> Path:
        samples = gain * voice(pitch_hz, seed)
        return write_wav(tmp_path / f"{name}.wav", samples, subtype="FLOAT")

    return write


def test_one_bad_file_does_not_stop_the_others(
    recognition: Recognition, write_voice: Callable[..., Path], tmp_path: Path
):
    good = [write_voice(f"low{seed}", 100, seed) for seed in (1, 2)]
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    results = list(recognition.enrol(" Ann ", [good[0], bad, tmp_path / "gone.wav", good[1], good[0]]))

    assert [one.outcome for one in results] == ["added", "failed", "failed", "added", "unchanged"]
    assert [one.error_code for one in results if one.error_code] == [
        "audio.unreadable",
        "audio.not_found",
    ]
    assert {one.speaker for one in results} == {"Ann"}
    assert [one.uri for one in recognition.store.utterances("Ann")] == [str(path) for path in good]
    assert results[0].speech_s > 1


def test_a_voice_is_identified_and_a_stranger_is_not(
    recognition: Recognition, write_voice: Callable[..., Path]
):
    for name, pitch_hz in (("low", 100), ("middle", 150), ("high", 220), ("top", 300)):
        list(recognition.enrol(name, [write_voice(f"{name}{seed}", pitch_hz, seed) for seed in (1, 2)]))

    again = write_voice("again", 100, 1, gain=0.1)
    found = recognition.identify(again, STRICT)
    assert found.speaker == "low"
    assert found.candidates[0].speaker == "low"
    assert len(found.candidates) == 3
    assert found.score == found.candidates[0].score > found.candidates[1].score
    assert found.encoder == "logmel-modulation"

    stranger = recognition.identify(again, Acceptance(threshold=1.0))
    assert stranger.speaker is None
    assert stranger.candidates == found.candidates

    assert recognition.verify(again, "low", STRICT).accepted
    refused = recognition.verify(again, "high", STRICT)
    assert (refused.accepted, refused.speaker) == (False, "high")
    assert refused.score < 0.9


def test_the_threshold_rises_with_the_number_of_speakers(
    recognition: Recognition, write_voice: Callable[..., Path]
):
    path = write_voice("voice", 120, 1)
    list(recognition.enrol("one", [path]))
    first = recognition.identify(path, Acceptance(max_false_accepts=0.1))
    list(recognition.enrol("two", [path]))
    second = recognition.identify(path, Acceptance(max_false_accepts=0.1))
    assert second.threshold.score > first.threshold.score
    assert second.threshold.false_accept_rate == 0.1
    # A claim is one comparison, however many speakers there are.
    claimed = recognition.verify(path, "one", Acceptance(max_false_accepts=0.1))
    assert claimed.threshold == first.threshold


def test_answers_have_the_fields_that_are_documented(
    recognition: Recognition, write_voice: Callable[..., Path]
):
    path = write_voice("voice", 120, 1)
    list(recognition.enrol("Ann", [path]))
    row = identification_json(recognition.identify(path))
    assert row["candidates"] == [{"speaker": "Ann", "score": row["score"]}]
    threshold = {"threshold", "false_accept_rate", "false_accept_interval", "measured_on"}
    common = {"uri", "speaker", "score", "speech_s", "encoder", "warnings", *threshold}
    assert set(row) == {*common, "candidates"}
    assert set(verification_json(recognition.verify(path, "Ann"))) == {*common, "accepted"}


def test_nothing_enrolled_and_unknown_names_are_errors(
    recognition: Recognition, write_voice: Callable[..., Path], tmp_path: Path
):
    path = write_voice("voice", 120, 1)
    with pytest.raises(SpeakerNotFound, match="no speakers are enrolled"):
        recognition.identify(path)
    # Found before the file is looked at.
    with pytest.raises(AudioNotFound):
        recognition.verify(tmp_path / "gone.wav", "Ann")
    with pytest.raises(SpeakerNotFound, match="'Ann'"):
        recognition.verify(path, "Ann")
    with pytest.raises(ParameterError, match="the name of the speaker"):
        next(recognition.enrol("a/b", [path]))


def test_the_vector_is_the_mean_of_overlapping_parts():
    network = Modulation()
    layout = network.layout
    samples = voice(120, 1).astype(np.float32)
    vector = speech_vector(samples, network)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    # Shorter than a part: repeated.
    short = speech_vector(samples[: layout.n_samples // 2], network)
    assert np.linalg.norm(short) == pytest.approx(1.0, abs=1e-5)
    # The end of the speech counts as well.
    longer = np.concatenate([samples, voice(300, 2)[: layout.n_samples // 3].astype(np.float32)])
    assert not np.allclose(speech_vector(longer, network), vector, atol=1e-4)


@pytest.mark.model
def test_a_model_of_ones_own_at_another_rate_is_refused(make_model: Make, tmp_path: Path):
    from soundalike.encoders.installed import add_model

    for rate_hz in (16_000, 8_000):
        name = f"own-{rate_hz}"
        facts = {**WAVEFORM, "sample_rate_hz": rate_hz}
        model, manifest = make_model((WAVEFORM["samples"],), name, input=facts)
        add_model(model, manifest, tmp_path / "weights")
    assert VoiceEncoder(load_encoder("own-16000", tmp_path / "weights")).spec.encoder == "own-16000"
    with pytest.raises(ParameterError, match=r"takes samples at 8000 Hz; speakers need"):
        VoiceEncoder(load_encoder("own-8000", tmp_path / "weights"))
    fused = load_encoder("own-16000+logmel-modulation", tmp_path / "weights")
    with pytest.raises(ParameterError, match="has several networks"):
        VoiceEncoder(fused)
