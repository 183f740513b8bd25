"""Compare a voice with the enrolled speakers. No encoder is needed here, and none is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soundalike.errors import SpeakerNotFound
from soundalike.speakers.requests import Acceptance
from soundalike.speakers.thresholds import threshold_for
from soundalike.speakers.values import Identification, Verification
from soundalike.types import Voice, VoiceSpec

if TYPE_CHECKING:
    from soundalike.store.voices import SpeakerStore

_MOST_CANDIDATES = 3
_ANY = Acceptance()


def identify_voice(
    store: SpeakerStore, voice: Voice, spec: VoiceSpec, acceptance: Acceptance = _ANY, *, uri: str = ""
) -> Identification:
    """Return who has a voice; see `Recognition.identify`."""
    found = store.candidates(voice.vector, spec, limit=_MOST_CANDIDATES)
    if not found:
        raise SpeakerNotFound("no speakers are enrolled; enrol one: soundalike speakers enrol NAME FILE")
    threshold = threshold_for(spec.encoder, acceptance, len(store.speakers()))
    first = found[0]
    return Identification(
        uri,
        first.speaker if threshold.accepts(first.score) else None,
        first.score,
        threshold,
        tuple(found),
        round(voice.speech_s, 3),
        spec.encoder,
        voice.warnings,
    )


def verify_voice(
    store: SpeakerStore,
    voice: Voice,
    spec: VoiceSpec,
    name: str,
    acceptance: Acceptance = _ANY,
    *,
    uri: str = "",
) -> Verification:
    """Return whether a speaker has a voice; see `Recognition.verify`."""
    threshold = threshold_for(spec.encoder, acceptance)
    (found,) = store.candidates(voice.vector, spec, name=name)
    return Verification(
        uri,
        found.speaker,
        threshold.accepts(found.score),
        found.score,
        threshold,
        round(voice.speech_s, 3),
        spec.encoder,
        voice.warnings,
    )
