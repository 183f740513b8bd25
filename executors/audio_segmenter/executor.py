"""AudioSegmenter: from paths and uploads to windows of 16 kHz mono audio."""

from pathlib import Path
from typing import Any, Optional, Tuple, Union
from uuid import uuid4

import numpy as np
from docarray import DocList
from jina import Executor, requests

from executors.audio_segmenter.rereading import PartReader
from executors.messages import given, spool
from executors.messages.documents import (
    Clip,
    SegmentedClip,
    WindowDoc,
    audio_source,
    parse_time,
    time_text,
)
from executors.messages.events import HeardClip
from executors.messages.failures import document_at_fault
from executors.messages.parameters import (
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
from executors.messages.queries import excerpt_of, kind_of
from executors.messages.search_parameters import SaveSearchParameters
from executors.messages.speakers import SpeechClip, SpokenClip
from executors.monitoring.watching import watch_executors
from soundalike.audio.allowed_roots import AllowedRoots
from soundalike.audio.excerpt import Excerpt, check_whole
from soundalike.audio.sandbox import IsolatedDecoding
from soundalike.audio.sandbox.reading import RecordingReader
from soundalike.audio.segmenter import Segments
from soundalike.audio.sources import AudioSource, folder_label, recording_id_of, uri_of
from soundalike.audio.speech import cut_speech
from soundalike.audio.windows import WindowPlan
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.config import Settings
from soundalike.encoders.rates import decoding_rate_hz
from soundalike.errors import ParameterError
from soundalike.limits import Limits
from soundalike.ranges import check_text
from soundalike.runtime.parallel import map_ahead
from soundalike.types import DECODER_VERSION, FloatArray

watch_executors()

#: Audio of one request that travels inside the documents; gRPC slows down far above this.
INLINE_BYTES = 32 << 20
_STANDARD, _SEARCH, _IDENTIFY = IndexParameters(), SearchParameters(), IdentifyParameters()
_EVENTS = EventsParameters()


class AudioSegmenter(Executor):
    """Decodes recordings and cuts them into windows.

    Parameters
    ----------
    window_size, stride : float
        Length of a window and distance between window starts, in seconds.
    spool_dir : str, optional
        Folder that the encoder can read too, for audio that is too long to travel in a message.
    time_zone : str, optional
        The zone of times of recordings that name none; default: ``SOUNDALIKE_TIME_ZONE``, else UTC.
    model : str, optional
        The encoder that the windows are for, which decides on the sample rate; default:
        ``SOUNDALIKE_MODEL``.
    time_pattern : str, optional
        How the time stands in file names, as for `soundalike.clock.start_time.compile_pattern`.
    """

    def __init__(
        self,
        window_size: float = 4.0,
        stride: float = 2.0,
        spool_dir: Optional[str] = None,
        time_zone: Optional[str] = None,
        time_pattern: Optional[str] = None,
        model: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        settings = Settings.from_env()
        self._limits = Limits.from_env()
        rate_hz = decoding_rate_hz(model or settings.model, settings.weights_dir)
        self._plan = WindowPlan(float(window_size), float(stride), rate_hz)
        self._spool_dir = Path(spool_dir) if spool_dir else settings.spool_dir
        patterns = [time_pattern] if time_pattern else []
        self._uploads_dir = settings.uploads_dir.absolute()
        self._roots = AllowedRoots(settings, Path.cwd())
        self._start_rules = StartTimeRules.described(time_zone or settings.time_zone, patterns)
        spool.remove_stale(self._spool_dir)
        self._spool_dir.mkdir(parents=True, exist_ok=True)
        self._decoding = IsolatedDecoding(self._limits, started=1)

    @requests(on="/index")
    def segment(
        self, docs: DocList[given.Clip], parameters: IndexParameters = _STANDARD, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut every document; one that cannot be used comes back with its error."""
        return self._all_cut(docs, parameters, is_query=False)

    @requests(on="/search")
    def segment_queries(
        self, docs: DocList[given.Clip], parameters: SearchParameters = _SEARCH, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut every query that has audio; the others are passed on as they are."""
        return self._all_cut(docs, parameters, is_query=True)

    @requests(on="/timeline")
    def segment_timeline(
        self, docs: DocList[given.Clip], parameters: TimelineParameters, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut queries of a timeline, as above."""
        return self._all_cut(docs, parameters, is_query=True)

    @requests(on="/normal_score")
    def segment_recordings(
        self, docs: DocList[given.Clip], parameters: NormalScoreParameters, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut recordings that are scored, as above."""
        return self._all_cut(docs, parameters, is_query=True)

    @requests(on="/search_save")
    def segment_saved(
        self, docs: DocList[given.Clip], parameters: SaveSearchParameters, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut queries that are saved, as above."""
        return self._all_cut(docs, parameters, is_query=True)

    @requests(on="/events")
    def segment_events(
        self, docs: DocList[given.Clip], parameters: EventsParameters = _EVENTS, **kwargs: Any
    ) -> DocList[SegmentedClip]:
        """Cut queries for events, as above."""
        return self._all_cut(docs, parameters, is_query=True)

    @requests(on="/listen")
    def read_again(
        self, docs: DocList[given.ListenClip], parameters: ListenParameters, **kwargs: Any
    ) -> DocList[HeardClip]:
        """Decode parts of recordings, and the query that they are compared with."""
        reader = PartReader(self._decoding, self._roots, self._spool_dir, self._plan.sample_rate_hz)
        results = DocList[HeardClip]()
        inline_bytes = 0
        for result, samples in reader.read(docs, parameters):
            if samples is not None:
                inline_bytes += self._attach(samples, result, INLINE_BYTES - inline_bytes)
            results.append(result)
        return results

    @requests(on="/enrol")
    def speech_to_enrol(
        self, docs: DocList[given.SpokenClip], parameters: EnrolParameters, **kwargs: Any
    ) -> DocList[SpeechClip]:
        """Cut the speech out of every document; one that cannot be used comes back with its error."""
        return self._speech_of_all(docs)

    @requests(on="/identify")
    def speech_to_identify(
        self,
        docs: DocList[given.SpokenClip],
        parameters: IdentifyParameters = _IDENTIFY,
        **kwargs: Any,
    ) -> DocList[SpeechClip]:
        """Cut the speech out of every document, as above."""
        return self._speech_of_all(docs)

    @requests(on="/verify")
    def speech_to_verify(
        self, docs: DocList[given.SpokenClip], parameters: VerifyParameters, **kwargs: Any
    ) -> DocList[SpeechClip]:
        """Cut the speech out of every document, as above."""
        return self._speech_of_all(docs)

    def _speech_of_all(self, docs: DocList[given.SpokenClip]) -> DocList[SpeechClip]:
        results = DocList[SpeechClip]()
        inline_bytes = 0
        apply = map_ahead if len(docs) > 1 else map
        for result, samples in apply(self._speech_of, docs):
            if samples is not None:
                with document_at_fault(result):
                    inline_bytes += self._attach(samples, result, INLINE_BYTES - inline_bytes)
            results.append(result)
        return results

    def _speech_of(self, clip: SpokenClip) -> Tuple[SpeechClip, Optional[FloatArray]]:
        """Return a recording's document, and the samples of its speech where it can be used."""
        result = SpeechClip(id=clip.id or uuid4().hex, uri=clip.uri)
        with document_at_fault(result):
            if clip.uri and not clip.audio_base64:
                self._roots.check(clip.uri)
            source = audio_source(clip)
            result.recording_id = recording_id_of(source)
            if isinstance(source, Path):
                result.uri = uri_of(source)
            else:
                result.uri = clip.uri or f"upload:{result.recording_id}"
            speech = self._decoding.run(cut_speech, source, folder=self._spool_dir)
            result.duration_s, result.speech_s = speech.duration_s, speech.speech_s
            result.warnings = list(speech.warnings)
            return result, speech.samples
        return result, None

    def _all_cut(
        self, docs: DocList[given.Clip], parameters: IndexParameters, *, is_query: bool
    ) -> DocList[SegmentedClip]:
        plan = self._plan_of(parameters)
        results = DocList[SegmentedClip]()
        inline_bytes = 0
        # A single clip, which most queries are, needs no threads of its own.
        apply = map_ahead if len(docs) > 1 else map
        for result, samples in apply(lambda clip: self._cut(clip, plan, is_query), docs):
            if samples is not None:
                with document_at_fault(result):
                    inline_bytes += self._attach(samples, result, INLINE_BYTES - inline_bytes)
            results.append(result)
        return results

    def _plan_of(self, parameters: IndexParameters) -> WindowPlan:
        own = self._plan
        return WindowPlan(
            own.window_s if parameters.window_size is None else parameters.window_size,
            own.stride_s if parameters.stride is None else parameters.stride,
            own.sample_rate_hz,
        )

    def _cut(
        self, clip: Clip, plan: WindowPlan, is_query: bool
    ) -> Tuple[SegmentedClip, Optional[FloatArray]]:
        """Return a clip's document, and its samples where it has any and can be used."""
        # Documents that come over HTTP without an id have none, and Jina merges by id.
        result = SegmentedClip(
            id=clip.id or uuid4().hex,
            uri=clip.uri,
            label=clip.label,
            tags=clip.tags,
            recorded_at=clip.recorded_at,
            decoder_version=DECODER_VERSION,
            sample_rate_hz=plan.sample_rate_hz,
            window_s=plan.window_s,
            stride_s=plan.stride_s,
        )
        with document_at_fault(result):
            return result, self._decoded(clip, plan, is_query, result)
        return result, None

    def _decoded(
        self, clip: Clip, plan: WindowPlan, is_query: bool, result: SegmentedClip
    ) -> Optional[FloatArray]:
        """Write the facts of a clip into its document; return its samples where it has any."""
        kind, excerpt = kind_of(clip), excerpt_of(clip)
        if not is_query and (kind != "audio" or not excerpt.is_whole):
            raise ParameterError(
                "recording_id, vector, text, like_label, start_s, end_s and at_s are for queries; give "
                "a whole sound to be indexed"
            )
        if kind != "audio":
            _put_query(clip, kind, excerpt, result)
            return None
        given = parse_time(clip.recorded_at)
        if clip.uri and not clip.audio_base64:
            self._roots.check(clip.uri)
        source = audio_source(clip)
        is_upload = isinstance(source, bytes) or source.parent == self._uploads_dir
        _identify(clip, source, result, is_upload=is_upload)
        # Uploads that are kept lie under names of ours.
        name = clip.uri if isinstance(source, bytes) else str(clip.tags.get("filename", ""))
        longest_s = self._limits.max_upload_s if self._came_in(source) else self._limits.max_file_s
        reader = RecordingReader(plan, self._start_rules, self._spool_dir, longest_s)
        segments, start = self._decoding.run(
            reader.read,
            source,
            excerpt,
            folder=self._spool_dir,
            name=name,
            given=given,
            is_upload=is_upload,
        )
        if start.at is not None:
            result.recorded_at = clip.recorded_at or time_text(start.at)
            result.recorded_at_source = start.source
        result.duration_s, result.offset_s = segments.duration_s, segments.offset_s
        result.warnings = list(segments.warnings)
        result.chunks = _chunks(segments)
        return segments.samples

    def _came_in(self, source: AudioSource) -> bool:
        """Tell whether a sound was sent by a client."""
        return isinstance(source, bytes) or source.is_relative_to(self._uploads_dir)

    def close(self) -> None:
        """End the decoding processes."""
        self._decoding.close()
        super().close()

    def _attach(
        self, samples: FloatArray, result: Union[SegmentedClip, SpeechClip, HeardClip], room_bytes: int
    ) -> int:
        """Put samples into the document, or into a file where room is short; return bytes put."""
        if samples.nbytes <= room_bytes:
            result.samples = samples
            return samples.nbytes
        result.spool_name = spool.put(self._spool_dir, samples)
        return 0


def _put_query(clip: Clip, kind: str, excerpt: Excerpt, result: SegmentedClip) -> None:
    """Write a query without audio into the document for the indexer."""
    result.kind, result.recording_id = kind, clip.recording_id
    result.start_s, result.end_s, result.at_s = clip.start_s, clip.end_s, clip.at_s
    if kind in ("vector", "text", "label"):
        check_whole(excerpt, kind)
    result.like_label = clip.like_label
    if clip.text is not None:
        check_text(clip.text)
        result.text = clip.text
    if clip.vector is not None:
        vector = np.asarray(clip.vector, dtype=np.float32)
        result.chunks = DocList[WindowDoc]([WindowDoc(embedding=vector)])


def _identify(clip: Clip, source: AudioSource, result: SegmentedClip, *, is_upload: bool) -> None:
    """Write id, path and label, which follow from where the audio comes from."""
    result.recording_id = recording_id_of(source)
    if isinstance(source, Path):
        result.uri = uri_of(source)
        result.label = clip.label if clip.label is not None or is_upload else folder_label(source)
    else:
        result.uri = clip.uri or f"upload:{result.recording_id}"


def _chunks(segments: Segments) -> DocList[WindowDoc]:
    return DocList[WindowDoc](
        WindowDoc(
            index=window.index,
            start_s=window.start_s,
            end_s=window.end_s,
            is_silent=window.is_silent,
            is_clipped=window.is_clipped,
        )
        for window in segments.windows
    )
