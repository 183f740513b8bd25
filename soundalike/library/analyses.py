"""The methods of a library that need no query: vectors, normal and repeated sounds, maps.

The modules of statistics take seconds to import; each is imported where it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from soundalike.anomalies.requests import LearnRequest
from soundalike.clock.start_time.zones import zone_named
from soundalike.encoders.base import index_spec
from soundalike.errors import ParameterError
from soundalike.library.asking import Filtering, prefix_under, sound_of
from soundalike.library.indexing import Paths, needed_files
from soundalike.library.opened import Opened
from soundalike.library.results import Duplicates, EmbeddedPart, Motifs, Vectors
from soundalike.maps.requests import MapRequest
from soundalike.repeats.requests import DuplicatesRequest, MotifsRequest

if TYPE_CHECKING:
    from soundalike.library.mapping import MapPoints
    from soundalike.library.normal import NormalScores, NormalSounds


class Analyses(Opened):
    """A collection whose recordings are analysed."""

    def embed(self, source: str | Path | bytes | tuple[Any, float]) -> Vectors:
        """Return the vectors of a sound's windows, as the index has them; nothing is stored.

        Parameters
        ----------
        source : str, Path, bytes or tuple
            A path, the bytes of a sound file, or an array with its sample rate.

        Raises
        ------
        AudioError
            The sound cannot be used.
        """
        sound = sound_of(source)
        segments, values = self.pipeline.embed(sound)
        path = "" if isinstance(sound, bytes) else str(Path(sound).absolute())
        parts = [EmbeddedPart(path, None, one.start_s, one.end_s) for one in segments.windows]
        return Vectors(parts, values, segments.warnings)

    def vectors(self, **filters: Unpack[Filtering]) -> Vectors:
        """Return the stored vectors of all windows that searches can find; filters as for `search`.

        They are in the order of their paths.
        """
        spec = self._spec()
        parts: list[EmbeddedPart] = []
        values = [np.zeros((0, spec.dimension), dtype=np.float32)]
        windows = self.store.searchable_windows(self._filters(filters), collection=self.collection)
        for found in sorted(windows, key=lambda each: each.recording.uri):
            bounds = zip(found.starts_s.tolist(), found.ends_s.tolist(), strict=True)
            recording = found.recording
            parts += [EmbeddedPart(recording.uri, recording.label, *each) for each in bounds]
            values.append(found.embeddings.astype(np.float32))
        return Vectors(parts, np.concatenate(values))

    def learn_normal(
        self,
        name: str,
        paths: Paths | None = None,
        *,
        method: str | None = None,
        false_alarm_rate: float | None = None,
        group_pattern: str | None = None,
        replace: bool = False,
        accept: bool = False,
        **filters: Unpack[Filtering],
    ) -> NormalSounds:
        """Learn what sounds normal, or add to what was learned.

        Parameters
        ----------
        name : str
            Name of the model.
        paths : str, Path, or iterable of them, optional
            Normal recordings; by default the recordings of the collection that pass the filters.
        method, false_alarm_rate, group_pattern, replace, accept
            As for `soundalike.anomalies.requests.LearnRequest`.
        **filters
            As for `recordings`, without `paths`.

        Raises
        ------
        ParameterError
            There are too few recordings, or a parameter is invalid.
        ModelMismatch
            The model was learned with another encoder or other windows.
        """
        from soundalike.anomalies.detector import Detector, check_same, listen, stored_recordings
        from soundalike.library.normal import NormalSounds

        request = LearnRequest(
            method=method,
            false_alarm_rate=false_alarm_rate,
            group_pattern=group_pattern,
            replace=replace,
            accept=accept,
        )
        detector = Detector(self.store)
        if paths is None:
            wanted = self._filters(filters)
            spec = self._spec()
            recordings = list(stored_recordings(self.store, self.collection, wanted, request))
            return NormalSounds(name, detector.learn(name, recordings, spec, request), [])
        if filters:
            raise ParameterError("filters select recordings of the collection; leave out paths or them")
        known = None if replace else detector.spec_of(name)
        encoder, plan = self._place.encoder(known), self._place.plan(known)
        spec = index_spec(encoder, plan)
        if known is not None:
            check_same(name, known, spec)
        heard = list(listen(needed_files(paths), encoder, plan, request=request))
        normal = [one.recording for one in heard if one.recording is not None]
        failed = [one for one in heard if one.recording is None]
        return NormalSounds(name, detector.learn(name, normal, spec, request), failed)

    def score_normal(self, name: str, files: Paths) -> NormalScores:
        """Score recordings by a model of what sounds normal.

        Parameters
        ----------
        name : str
            Name of the model.
        files : str, Path, or iterable of them

        Raises
        ------
        NormalModelNotFound
            There is no such model.
        """
        from soundalike.anomalies.detector import Detector
        from soundalike.library.normal import NormalScores

        if self._place.service is not None:
            remote = self._place.service.normal
            threshold = remote.model(name)["threshold"]
            return NormalScores(remote.score(name, needed_files(files)), name, threshold)
        detector = Detector(self.store)
        model = detector.model(name)
        scored = detector.score(name, needed_files(files), self._place.encoder(model.spec))
        return NormalScores(scored, name, model.calibration.threshold)

    def duplicates(
        self,
        *,
        under: str | Path = "",
        min_score: float = DuplicatesRequest.min_score,
        min_overlap_s: float = DuplicatesRequest.min_overlap_s,
        candidates: int = DuplicatesRequest.candidates,
    ) -> Duplicates:
        """Find copies of recordings; nothing is deleted.

        Parameters
        ----------
        under, min_score, min_overlap_s, candidates
            As for `soundalike.repeats.requests.DuplicatesRequest`.
        """
        from soundalike.audio.sandbox import shared
        from soundalike.repeats.duplicates import find_duplicates
        from soundalike.repeats.sounds import Sounds

        prefix = prefix_under(under)
        request = DuplicatesRequest(prefix, min_score, min_overlap_s, candidates, self.collection)
        if self._place.service is not None:
            return Duplicates(self._place.service.repeats.groups(request))
        return Duplicates(find_duplicates(self.store, request, sounds=Sounds(shared())))

    def motifs(
        self,
        *,
        under: str | Path = "",
        min_count: int = MotifsRequest.min_count,
        limit: int = MotifsRequest.limit,
        reread_s: float = MotifsRequest.reread_s,
    ) -> Motifs:
        """Find sounds that occur again and again, without a query.

        Parameters
        ----------
        under, min_count, limit, reread_s
            As for `soundalike.repeats.requests.MotifsRequest`.
        """
        from soundalike.repeats.motifs import find_motifs

        prefix = prefix_under(under)
        request = MotifsRequest(prefix, min_count, limit, reread_s, self.collection)
        if self._place.service is not None:
            return Motifs(self._place.service.repeats.found_motifs(request))
        listener = self._listener() if reread_s > 0 else None
        return Motifs(find_motifs(self.store, request, listener=listener))

    def map(
        self,
        *,
        points: str = MapRequest.points,
        method: str = MapRequest.method,
        neighbours: int = MapRequest.neighbours,
        seed: int = MapRequest.seed,
        max_points: int = MapRequest.max_points,
        min_cluster: int | None = MapRequest.min_cluster,
        refit: bool = MapRequest.refit,
        normal: str | None = MapRequest.normal,
    ) -> MapPoints:
        """Lay out all recordings or windows so that similar ones lie close together.

        Parameters
        ----------
        points, method, neighbours, seed, max_points, min_cluster, refit, normal
            As for `soundalike.maps.requests.MapRequest`.

        Raises
        ------
        IndexEmpty
            The collection does not exist, or has no searchable recording.
        ParameterError
            A value is out of its range, or the method needs umap-learn, which is not installed.
        """
        from soundalike.library.mapping import MapPoints
        from soundalike.maps.build import make_map

        request = MapRequest(
            collection=self.collection,
            points=points,
            method=method,
            neighbours=neighbours,
            seed=seed,
            max_points=max_points,
            min_cluster=min_cluster,
            refit=refit,
            normal=normal,
        )
        if self._place.service is not None:
            return MapPoints(self._place.service.map(request))
        found = make_map(self.store, request)
        return MapPoints(found.to_json(zone_named(self._place.settings.time_zone)), found)
