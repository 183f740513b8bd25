"""An index as one Python object."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Unpack

from soundalike.audio.allowed_roots import note_indexed
from soundalike.client.sending import send
from soundalike.clock.wall_clock import StartTimeRules
from soundalike.config import DEFAULT_COLLECTION
from soundalike.errors import ParameterError
from soundalike.events.requests import EventOrder, EventsRequest
from soundalike.indexing.items import IndexItem, IndexResult, mark_skipped
from soundalike.indexing.loading import begin_load
from soundalike.indexing.pipeline import Pipeline
from soundalike.library.analyses import Analyses
from soundalike.library.asking import Asked, Filtering, Shown, examples_of, query_of
from soundalike.library.indexing import Labels, Paths, items_of, named_paths, remote_files, sound_files
from soundalike.library.results import Events, IndexSummary, Matches, Recordings
from soundalike.ranges import GroupBy
from soundalike.remote.spool import SpoolPlace
from soundalike.search.find import answer_to
from soundalike.search.requests import SearchRequest
from soundalike.store.base import MAX_PAGE
from soundalike.store.partial import Missing, partial_answers
from soundalike.types import Recording

OnProgress = Callable[[int, int], None]


class Library(Analyses):
    """An index of recordings: indexes, searches, and shows the results.

    It opens the database and loads the encoder when they are first needed. ``with`` closes it.

    Parameters
    ----------
    path_or_url : str or Path, optional
        Folder of an embedded database, a ``postgresql://`` URL, or the ``http(s)://`` URL of a running
        service, for all but `embed`, `vectors` and `learn_normal`. By default the same index as that of
        the command line.
    collection : str
        Name of the collection.
    model : str, optional
        Encoder; by default that of the collection, or the configured one for a new collection.
    window_s, stride_s : float, optional
        Length of a window and distance between window starts of a new collection; 4 and 2 by default.

    Raises
    ------
    ParameterError
        A value is invalid, or the folder contains other files.
    ConfigError
        The model is unknown.

    Examples
    --------
    >>> library = Library("sounds-index", collection="birds")
    >>> library
    Library('sounds-index', collection='birds')
    """

    def __init__(
        self,
        path_or_url: str | Path | None = None,
        collection: str = DEFAULT_COLLECTION,
        *,
        model: str | None = None,
        window_s: float | None = None,
        stride_s: float | None = None,
    ) -> None:
        super().__init__(path_or_url, collection, model, window_s, stride_s)

    def __repr__(self) -> str:
        place = "" if self._shown is None or "@" in self._shown else f"{self._shown!r}, "
        return f"Library({place}collection={self.collection!r})"

    def index(
        self,
        paths: Paths,
        *,
        labels: Labels | None = None,
        tags: Mapping[str, Any] | None = None,
        recorded_at: str | date | None = None,
        checksum: bool = False,
        on_progress: OnProgress = lambda done, total: None,
    ) -> IndexSummary:
        """Index new and changed files.

        Parameters
        ----------
        paths : str, Path, or iterable of them
            Files, folders and glob patterns, which are sent to a service, and URLs of remote folders
            and files.
        labels : str or mapping, optional
            One label for all files, or a label for each path of a file or folder. By default the name
            of the folder that holds each file.
        tags : mapping, optional
            Tags of all files.
        recorded_at : str, date or datetime, optional
            When all these files began.
        checksum : bool
            Read every file, even if its stored size and modification time are unchanged.
        on_progress : callable, optional
            Called with the number of files that are done, and of all.

        Returns
        -------
        summary : IndexSummary
            The result of each file. A file that cannot be used has the outcome ``failed``, and the
            others are indexed.

        Raises
        ------
        AudioNotFound
            A path names nothing.
        SoundalikeError
            The database or the encoder cannot be used, or a parameter is invalid.
        """
        files = sound_files(paths)
        rules = StartTimeRules.described(self._place.settings.time_zone)
        remote, listed = remote_files(paths, files)
        if remote and self._place.service is not None:
            raise ParameterError("URLs do not go with a service; open a folder or a database")
        items = items_of(files, remote, labels, {} if tags is None else tags, recorded_at, rules)
        found = []
        if items:
            if self._place.service is None:
                note_indexed(self._place.settings.data_dir, named_paths(paths, files))
            for number, result in enumerate(self._indexed(items, rules, checksum=checksum), start=1):
                found.append(mark_skipped(result, listed))
                on_progress(number, len(items))
        return IndexSummary(found, listed.left_out)

    def search(
        self,
        query: Asked,
        top_k: int = SearchRequest.top_k,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        like: Shown | Sequence[Shown] | None = None,
        unlike: Shown | Sequence[Shown] | None = None,
        max_false_alarms: float | None = SearchRequest.max_false_alarms,
        min_score: float = SearchRequest.min_score,
        exclude_self: bool = SearchRequest.exclude_self,
        group_by: GroupBy = SearchRequest.group_by,
        collections: Sequence[str] = (),
        **filters: Unpack[Filtering],
    ) -> Matches:
        """Find recordings that contain something like a query.

        Parameters
        ----------
        query : str, Path, bytes, tuple, Recording, Match, Event or Query
            A path or the id of a stored recording, the bytes of a sound file, an array with its sample
            rate, a stored recording, a result (its part is the query), or a `soundalike.Query` for
            vectors, texts and labels.
        top_k : int
            Maximum number of matches, 1 to 1000.
        start_s, end_s : float, optional
            Search with this part of the query.
        like, unlike : optional
            Further right and wrong examples: stored recordings, results, or paths like
            ``"pond.flac:10-14"``.
        max_false_alarms : float, optional
            Maximum false-alarm rate of a match; see `soundalike.types.Match`.
        min_score : float
            Minimum score of a match.
        exclude_self : bool
            Exclude the query's own recording.
        group_by : str
            ``recording``, or ``label`` for the best match of each label.
        collections : sequence of str
            Collections to search; by default that of the library.
        **filters
            ``labels``, ``tags``, ``where``, ``under``, ``since``, ``until``, ``time_of_day`` and
            ``time_zone``; see `soundalike.search.requests.Narrowing`.

        Raises
        ------
        AudioError, ParameterError
            The query or a parameter cannot be used.
        IndexEmpty
            Nothing has been indexed.
        SoundalikeError
            The database, the encoder or the service cannot be used.
        """
        service = self._place.service
        request = SearchRequest(
            query_of(query, start_s, end_s),
            self._filters(filters),
            exclude_self,
            operator.index(top_k),
            min_score,
            (collections,) if isinstance(collections, str) else tuple(collections) or (self.collection,),
            group_by,
            max_false_alarms,
            examples_of(like, "like", is_remote=service is not None),
            examples_of(unlike, "unlike", is_remote=service is not None),
        )
        if service is not None:
            answer, _ = service.search(request)
        else:
            answer = answer_to(request, self._embedded(request.query, request.collections), self.store)
        return Matches(
            answer.matches, request.query, answer.query, answer.warnings, answer.missing_shards
        )

    def events(
        self,
        query: Asked,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        recording: str | Recording | None = None,
        min_score: float = EventsRequest.min_score,
        order: EventOrder = EventsRequest.order,
        max_per_recording: int | None = EventsRequest.max_per_recording,
        limit: int | None = EventsRequest.limit,
        gap_s: float = EventsRequest.gap_s,
        min_duration_s: float = EventsRequest.min_duration_s,
        reread_s: float = EventsRequest.reread_s,
        exclude_self: bool = EventsRequest.exclude_self,
        **filters: Unpack[Filtering],
    ) -> Events:
        """Find every occurrence of a query, with begin and end.

        Parameters
        ----------
        query, start_s, end_s, exclude_self, **filters
            As for `search`.
        recording : str or Recording, optional
            Only events in this recording; a string is its id.
        min_score, order, max_per_recording, limit, gap_s, min_duration_s, reread_s
            As for `soundalike.events.requests.EventsRequest`.

        Raises
        ------
        SoundalikeError
            As for `search`.
        """
        from soundalike.events.find import find_events

        request = EventsRequest(
            query_of(query, start_s, end_s),
            self._filters(filters),
            recording.recording_id if isinstance(recording, Recording) else recording,
            exclude_self,
            min_score,
            order,
            max_per_recording,
            limit,
            gap_s,
            min_duration_s,
            reread_s,
            self.collection,
        )
        assert request.query is not None
        if self._place.service is not None:
            answer = self._place.service.events(request)
            return Events(
                answer.events, request.query, answer.query, answer.warnings, answer.missing_shards
            )
        embedded = self._embedded(request.query, [self.collection])
        has_sound = request.query.source is not None or request.query.recording_id is not None
        listener = self._listener() if has_sound and reread_s > 0 else None
        with partial_answers() as missing:
            found = list(find_events(self.store, embedded, request, listener=listener))
        warnings = (*embedded.warnings, *missing.warnings)
        return Events(found, request.query, embedded.name, warnings, missing.shards)

    def _indexed(
        self, items: Sequence[IndexItem], rules: StartTimeRules, *, checksum: bool
    ) -> Iterator[IndexResult]:
        if self._place.service is not None:
            if checksum:
                raise ParameterError("checksum does not go with a service; leave it out")
            return send(self._place.service, items, self.collection)
        store = self.store
        spec = store.status(collection=self.collection).spec
        encoder, plan = self._place.encoder(spec), self._place.plan(spec)
        spool = SpoolPlace.of(self._place.settings)
        pipeline = Pipeline(store, encoder, plan, self.collection, rules, spool=spool)
        begin_load(pipeline, items)
        return pipeline.index(items, checksum=checksum)

    def recordings(self, **filters: Unpack[Filtering]) -> Recordings:
        """Return the stored recordings by path; ``labels``, ``tags``, ``where`` and ``under`` select."""
        wanted = self._filters(filters)
        if {"since", "until", "time_of_day"} & filters.keys():
            raise ParameterError("recordings are not selected by time; search and events are")
        if self._place.service is not None:
            if wanted.tags:
                raise ParameterError("a service lists recordings by conditions; give where, not tags")
            noted = Missing()
            told = list(self._place.service.recordings(self.collection, wanted, noted))
            return Recordings(told, noted.warnings, noted.shards)
        found: list[Recording] = []
        after = ""
        with partial_answers() as missing:
            while page := self.store.page_of_files(
                wanted, after=after, limit=MAX_PAGE, collection=self.collection
            ):
                found += [file.recording for file in page]
                after = page[-1].recording.uri
        return Recordings(found, missing.warnings, missing.shards)
