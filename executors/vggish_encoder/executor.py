"""VGGishEncoder: from windows to embeddings."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from docarray import DocList
from jina import Executor, requests

from executors.messages import given, spool
from executors.messages.documents import (
    EmbeddedClip,
    SegmentedClip,
    Status,
    WindowDoc,
    carried_fields,
    to_windows,
    write_spec,
)
from executors.messages.events import HeardClip, ListenedDoc
from executors.messages.failures import document_at_fault, mark_failed
from executors.messages.parameters import (
    CollectionParameters,
    EnrolParameters,
    EventsParameters,
    IdentifyParameters,
    IndexParameters,
    ListenParameters,
    NormalScoreParameters,
    SearchParameters,
    TimelineParameters,
    VerifyParameters,
)
from executors.messages.search_parameters import SaveSearchParameters
from executors.messages.speakers import SpeechClip, VoiceDoc, spoken_fields
from executors.monitoring.watching import watch_executors
from executors.vggish_encoder.listening import listen_to
from soundalike.audio.speech import Speech
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.base import embed_text, index_spec, level_of
from soundalike.encoders.batching import SHARED_BATCH_PATCHES, share_batches
from soundalike.encoders.catalogue import credits_of
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.embedding import CutRecording, embed_each
from soundalike.errors import ParameterError, ServiceError, SoundalikeError
from soundalike.events.listening import Hearing
from soundalike.speakers.voice import VoiceEncoder, open_voice_encoder
from soundalike.types import FloatArray

watch_executors()

_COLLECTION, _INDEX, _SEARCH = CollectionParameters(), IndexParameters(), SearchParameters()
_IDENTIFY, _EVENTS = IdentifyParameters(), EventsParameters()


class VGGishEncoder(Executor):
    """Embeds the windows of all documents of a request, and of concurrent requests, in full batches.

    Made for ``allow_concurrent: true``; without it requests are served one after the other.

    Parameters
    ----------
    model : str, optional
        ``auto``, ``vggish`` or ``logmel-modulation``; default: ``SOUNDALIKE_MODEL``, else ``auto``.
    checkpoint : str, optional
        VGGish checkpoint to use in place of the published one.
    weights_dir : str, optional
        Folder of the published weights.
    precision : str, optional
        ``auto``, ``float32`` or ``bfloat16``; default: ``SOUNDALIKE_PRECISION``, else ``auto``.
    batch_size : int
        Patches that go through the network together.
    example_hop_seconds : float, optional
        Distance between the examples of a window, where it is not the encoder's own; 0.96 is that of
        VGGish's published pipeline.
    spool_dir : str, optional
        Folder that the segmenter writes long audio to.
    """

    def __init__(
        self,
        model: Optional[str] = None,
        checkpoint: Optional[str] = None,
        weights_dir: Optional[str] = None,
        precision: Optional[str] = None,
        batch_size: int = SHARED_BATCH_PATCHES,
        example_hop_seconds: Optional[float] = None,
        spool_dir: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        settings = Settings.from_env()
        self._spool_dir = Path(spool_dir) if spool_dir else settings.spool_dir
        self._batch_size = int(batch_size)
        self._hop_s = None if example_hop_seconds is None else float(example_hop_seconds)
        if self._batch_size < 1 or (self._hop_s is not None and self._hop_s <= 0):
            raise ParameterError(
                f"batch_size is {batch_size} and example_hop_seconds is {example_hop_seconds}; "
                "both must be above 0"
            )
        folder = Path(weights_dir) if weights_dir else settings.weights_dir
        encoder = load_encoder(
            model or settings.model,
            folder,
            Path(checkpoint) if checkpoint else settings.checkpoint,
            precision=precision or settings.precision,
        )
        self._encoder = share_batches(encoder, self._batch_size)
        self._credits = credits_of(encoder, folder)
        self._settings = replace(settings, weights_dir=folder)
        self._voices: Optional[VoiceEncoder] = None
        self._voices_lock = threading.Lock()
        self.logger.info(f"encoder: {self._encoder.name} ({self._encoder.description})")

    @requests(on="/index")
    def encode(
        self, docs: DocList[SegmentedClip], parameters: IndexParameters = _INDEX, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed every document that has audio and no error; the audio does not travel on."""
        return self._encoded(docs)

    @requests(on="/search")
    def encode_queries(
        self, docs: DocList[SegmentedClip], parameters: SearchParameters = _SEARCH, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed queries, as above."""
        return self._encoded(docs)

    @requests(on="/timeline")
    def encode_timeline(
        self, docs: DocList[SegmentedClip], parameters: TimelineParameters, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed queries of a timeline, as above."""
        return self._encoded(docs)

    def _encoded(self, docs: DocList[SegmentedClip]) -> DocList[EmbeddedClip]:
        results = DocList[EmbeddedClip](self._started(doc) for doc in docs)
        cuts: list[tuple[EmbeddedClip, CutRecording, WindowPlan]] = []
        for doc, result in zip(docs, results, strict=True):
            if not result.error_code and result.kind == "text":
                with document_at_fault(result, (ServiceError,)):
                    self._embed_text(doc, result)
            if result.error_code or result.kind != "audio":
                continue
            with document_at_fault(result, (ServiceError,)):
                plan = WindowPlan(doc.window_s, doc.stride_s, doc.sample_rate_hz)
                samples = self._samples(doc)
                cuts.append((result, CutRecording(samples, to_windows(doc.chunks), doc.offset_s), plan))
        self._embed(cuts)
        return results

    @requests(on="/normal_score")
    def encode_recordings(
        self, docs: DocList[SegmentedClip], parameters: NormalScoreParameters, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed recordings that are scored, as above."""
        return self._encoded(docs)

    @requests(on="/search_save")
    def encode_saved(
        self, docs: DocList[SegmentedClip], parameters: SaveSearchParameters, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed queries that are saved, as above."""
        return self._encoded(docs)

    @requests(on="/events")
    def encode_events(
        self, docs: DocList[SegmentedClip], parameters: EventsParameters = _EVENTS, **kwargs: Any
    ) -> DocList[EmbeddedClip]:
        """Embed queries for events, as above."""
        return self._encoded(docs)

    @requests(on="/listen")
    def listen(
        self, docs: DocList[HeardClip], parameters: ListenParameters, **kwargs: Any
    ) -> DocList[ListenedDoc]:
        """Compare parts of recordings with the query, step by step."""
        return listen_to(docs, parameters, Hearing(self._encoder), self._samples)

    @requests(on="/enrol")
    def encode_voices_to_enrol(
        self, docs: DocList[SpeechClip], parameters: EnrolParameters, **kwargs: Any
    ) -> DocList[VoiceDoc]:
        """Embed the voice of every document that has speech and no error."""
        return self._voices_of(docs)

    @requests(on="/identify")
    def encode_voices_to_identify(
        self, docs: DocList[SpeechClip], parameters: IdentifyParameters = _IDENTIFY, **kwargs: Any
    ) -> DocList[VoiceDoc]:
        """Embed voices, as above."""
        return self._voices_of(docs)

    @requests(on="/verify")
    def encode_voices_to_verify(
        self, docs: DocList[SpeechClip], parameters: VerifyParameters, **kwargs: Any
    ) -> DocList[VoiceDoc]:
        """Embed voices, as above."""
        return self._voices_of(docs)

    def _voices_of(self, docs: DocList[SpeechClip]) -> DocList[VoiceDoc]:
        results = DocList[VoiceDoc](VoiceDoc(**spoken_fields(doc)) for doc in docs)
        for doc, result in zip(docs, results, strict=True):
            if result.error_code:
                continue
            with document_at_fault(result, (ServiceError,)):
                encoder = self._voice_encoder()
                speech = Speech(self._samples(doc), doc.speech_s, doc.duration_s)
                result.embedding = encoder.voice_of(speech).vector
                result.encoder, result.fingerprint = encoder.spec.encoder, encoder.spec.fingerprint
                result.dimension = encoder.spec.dimension
        return results

    def _voice_encoder(self) -> VoiceEncoder:
        """Return the encoder of voices, loaded by the first request that needs it."""
        with self._voices_lock:
            if self._voices is None:
                self._voices = open_voice_encoder(self._settings)
                self.logger.info(f"encoder of voices: {self._voices.spec.encoder}")
            return self._voices

    @requests(on="/status")
    def status(
        self, docs: DocList[given.Status], parameters: CollectionParameters = _COLLECTION, **kwargs: Any
    ) -> DocList[Status]:
        """Begin a status with the encoder that is in use."""
        return DocList[Status](
            [
                Status(
                    configured_encoder=self._encoder.name,
                    encoder_description=self._encoder.description,
                    encoder_level=level_of(self._encoder),
                    encoder_licence=self._credits.licence,
                    encoder_attribution=self._credits.attribution,
                    takes_text=self._credits.takes_text,
                )
            ]
        )

    def _started(self, doc: SegmentedClip) -> EmbeddedClip:
        return EmbeddedClip(
            **carried_fields(doc),
            kind=doc.kind,
            like_label=doc.like_label,
            text=doc.text,
            start_s=doc.start_s,
            end_s=doc.end_s,
            at_s=doc.at_s,
            decoder_version=doc.decoder_version,
            window_s=doc.window_s,
            stride_s=doc.stride_s,
            chunks=doc.chunks,
        )

    def _samples(self, doc: Union[SegmentedClip, SpeechClip, HeardClip]) -> FloatArray:
        if doc.spool_name:
            return spool.take(self._spool_dir, doc.spool_name)
        if doc.samples is None:
            raise ParameterError("the document has no audio; send it through the segmenter")
        return np.asarray(doc.samples, dtype=np.float32)

    def _embed_text(self, doc: SegmentedClip, result: EmbeddedClip) -> None:
        (vector,) = embed_text(self._encoder, str(doc.text))
        plan = WindowPlan(doc.window_s, doc.stride_s, doc.sample_rate_hz)
        write_spec(result, index_spec(self._encoder, plan, self._hop_s))
        result.chunks = DocList[WindowDoc]([WindowDoc(embedding=vector)])

    def _embed(self, cuts: list[tuple[EmbeddedClip, CutRecording, WindowPlan]]) -> None:
        if not cuts:
            return
        # A request has one plan, its own or the segmenter's.
        plan = cuts[0][2]
        try:
            spec = index_spec(self._encoder, plan, self._hop_s)
        except ParameterError as exc:
            for result, _, _ in cuts:
                mark_failed(result, exc)
            return
        embedded = embed_each(
            [cut for _, cut, _ in cuts],
            [str(result.uri) for result, _, _ in cuts],
            self._encoder,
            plan,
            example_hop_s=self._hop_s,
            batch_patches=self._batch_size,
        )
        for (result, _, _), rows in zip(cuts, embedded, strict=True):
            if isinstance(rows, SoundalikeError):
                mark_failed(result, rows)
                continue
            write_spec(result, spec)
            for chunk, row in zip(result.chunks, rows, strict=True):
                chunk.embedding = row
