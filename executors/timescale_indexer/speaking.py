"""Enrol, identify and verify the voices of documents."""

from collections.abc import Callable
from typing import Optional, TypeVar

from docarray import DocList

from executors.messages.failures import document_at_fault
from executors.messages.parameters import (
    IdentifyParameters,
    RemoveSpeakerParameters,
    UtterancesParameters,
    VerifyParameters,
)
from executors.messages.speakers import (
    EnrolledDoc,
    IdentifiedDoc,
    RemovedDoc,
    UtteranceDoc,
    VerifiedDoc,
    VoiceDoc,
    enrolled_doc,
    identified_doc,
    to_utterance,
    to_voice,
    to_voice_spec,
    utterance_doc,
    verified_doc,
)
from soundalike.errors import DimensionMismatch, ParameterError, SpeakerNotFound
from soundalike.speakers.judging import identify_voice, verify_voice
from soundalike.speakers.values import EnrolmentResult
from soundalike.store import Store
from soundalike.store.voices import checked_name, speaker_not_found

#: Errors that one document of a request is to blame for; the others are answered.
_OF_DOCUMENT = (DimensionMismatch, SpeakerNotFound)
_Answer = TypeVar("_Answer", IdentifiedDoc, VerifiedDoc)


def enrol_voices(docs: DocList[VoiceDoc], store: Store, speaker: str) -> DocList[EnrolledDoc]:
    """Enrol the voice of every document that has no error; a failure affects only its own document.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    name = checked_name(speaker)
    results = DocList[EnrolledDoc]()
    for doc in docs:
        result = EnrolledDoc(
            id=doc.id, uri=doc.uri, speaker=name, error_code=doc.error_code, error=doc.error
        )
        results.append(result)
        if doc.error_code:
            continue
        with document_at_fault(result, _OF_DOCUMENT):
            utterance, voice = to_utterance(doc), to_voice(doc)
            outcome = store.enrol(name, utterance, voice.vector, to_voice_spec(doc))
            enrolled = EnrolmentResult(
                utterance.uri,
                name,
                outcome,
                utterance.recording_id,
                round(voice.speech_s, 3),
                voice.warnings,
            )
            results[-1] = enrolled_doc(enrolled, doc.id)
    return results


def identify_voices(
    docs: DocList[VoiceDoc], store: Store, parameters: IdentifyParameters
) -> DocList[IdentifiedDoc]:
    """Tell of every document whose voice it is.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    acceptance = parameters.acceptance

    def judge(doc: VoiceDoc) -> IdentifiedDoc:
        voice, spec = to_voice(doc), to_voice_spec(doc)
        found = identify_voice(store, voice, spec, acceptance, uri=doc.uri or "")
        return identified_doc(found, doc.id)

    return DocList[IdentifiedDoc](_judged(doc, IdentifiedDoc(), judge) for doc in docs)


def verify_voices(
    docs: DocList[VoiceDoc], store: Store, parameters: VerifyParameters
) -> DocList[VerifiedDoc]:
    """Tell of every document whether its voice is that of a speaker.

    Raises
    ------
    ParameterError, StoreError
        As their names say.
    """
    acceptance, name = parameters.acceptance, checked_name(parameters.speaker)
    # A wrong name is an error of the request, also where no document can be used.
    store.utterances(name)

    def judge(doc: VoiceDoc) -> VerifiedDoc:
        voice, spec = to_voice(doc), to_voice_spec(doc)
        found = verify_voice(store, voice, spec, name, acceptance, uri=doc.uri or "")
        return verified_doc(found, doc.id)

    return DocList[VerifiedDoc](_judged(doc, VerifiedDoc(speaker=name), judge) for doc in docs)


def list_utterances(store: Store, parameters: UtterancesParameters) -> DocList[UtteranceDoc]:
    """Return the recordings of a speaker, or the one at a path.

    Raises
    ------
    SpeakerNotFound
        There is no speaker of this name.
    ParameterError
        Neither is named, or both.
    """
    speaker, uri = parameters.speaker, parameters.uri
    if (speaker is None) == (uri is None):
        raise ParameterError(f"speaker is {speaker!r} and uri is {uri!r}; give one of them")
    if speaker is not None:
        return DocList[UtteranceDoc](map(utterance_doc, store.utterances(speaker)))
    assert uri is not None
    found = [UtteranceDoc(id=uri, uri=uri)] if store.is_utterance(uri) else []
    return DocList[UtteranceDoc](found)


def remove_voices(store: Store, parameters: RemoveSpeakerParameters) -> DocList[RemovedDoc]:
    """Remove a speaker, or one recording of a speaker.

    Raises
    ------
    SpeakerNotFound
        There is no such speaker, or no such recording of the speaker.
    ParameterError, StoreError
        As their names say.
    """
    name = checked_name(parameters.speaker)
    gone = _remove(store, name, parameters.recording_id)
    if not gone:
        raise speaker_not_found(name)
    return DocList[RemovedDoc]([RemovedDoc(id=name, speaker=name, removed=len(gone), uris=gone)])


def _remove(store: Store, name: str, recording_id: Optional[str]) -> list[str]:
    if recording_id is None:
        return [utterance.uri for utterance in store.remove_speaker(name)]
    uris = [one.uri for one in store.utterances(name) if one.recording_id == recording_id.lower()]
    return uris if store.remove_utterance(name, recording_id) else []


def _judged(doc: VoiceDoc, result: _Answer, judge: Callable[[VoiceDoc], _Answer]) -> _Answer:
    """Return the answer about a document, or the empty answer with the document's error."""
    result.id, result.uri = doc.id, doc.uri
    result.error_code, result.error = doc.error_code, doc.error
    if not doc.error_code:
        with document_at_fault(result, _OF_DOCUMENT):
            return judge(doc)
    return result
