"""Endpoints of speakers."""

from typing import Any

from docarray import DocList
from jina import requests

from executors.messages import given
from executors.messages.parameters import (
    EnrolParameters,
    IdentifyParameters,
    RemoveSpeakerParameters,
    SpeakersParameters,
    UtterancesParameters,
    VerifyParameters,
)
from executors.messages.speakers import (
    EnrolledDoc,
    IdentifiedDoc,
    RemovedDoc,
    SpeakerDoc,
    UtteranceDoc,
    VerifiedDoc,
    VoiceDoc,
    speaker_doc,
)
from executors.timescale_indexer.base import StoreExecutor
from executors.timescale_indexer.speaking import (
    enrol_voices,
    identify_voices,
    list_utterances,
    remove_voices,
    verify_voices,
)

_IDENTIFY, _SPEAKERS = IdentifyParameters(), SpeakersParameters()


class SpeakerEndpoints(StoreExecutor):
    """Enrols, recognises, lists and removes speakers."""

    @requests(on="/enrol")
    def enrol(
        self, docs: DocList[VoiceDoc], parameters: EnrolParameters, **kwargs: Any
    ) -> DocList[EnrolledDoc]:
        """Enrol the recordings of a speaker; a failure affects only its own document."""
        return enrol_voices(docs, self._store, parameters.speaker)

    @requests(on="/identify")
    def identify(
        self, docs: DocList[VoiceDoc], parameters: IdentifyParameters = _IDENTIFY, **kwargs: Any
    ) -> DocList[IdentifiedDoc]:
        """Tell who speaks in each recording; `speaker` is null for a stranger."""
        return identify_voices(docs, self._store, parameters)

    @requests(on="/verify")
    def verify(
        self, docs: DocList[VoiceDoc], parameters: VerifyParameters, **kwargs: Any
    ) -> DocList[VerifiedDoc]:
        """Tell of each recording whether a speaker is the one in it."""
        return verify_voices(docs, self._store, parameters)

    @requests(on="/speakers")
    def speakers(
        self,
        docs: DocList[given.SpokenClip],
        parameters: SpeakersParameters = _SPEAKERS,
        **kwargs: Any,
    ) -> DocList[SpeakerDoc]:
        """Return all speakers, by name."""
        spec = self._store.voice_spec()
        return DocList[SpeakerDoc](speaker_doc(found, spec) for found in self._store.speakers())

    @requests(on="/utterances")
    def utterances(
        self, docs: DocList[given.SpokenClip], parameters: UtterancesParameters, **kwargs: Any
    ) -> DocList[UtteranceDoc]:
        """Return the recordings that a speaker was enrolled from, or the one at a path.

        Raises
        ------
        SpeakerNotFound
            There is no speaker of this name.
        ParameterError
            Neither is named, or both.
        """
        return list_utterances(self._store, parameters)

    @requests(on="/remove_speaker")
    def remove_speaker(
        self, docs: DocList[given.SpokenClip], parameters: RemoveSpeakerParameters, **kwargs: Any
    ) -> DocList[RemovedDoc]:
        """Remove a speaker, or one recording of a speaker.

        Raises
        ------
        SpeakerNotFound
            There is no such speaker, or no such recording of the speaker.
        """
        return remove_voices(self._store, parameters)
