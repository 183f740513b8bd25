"""Decode and segment recordings; runs in a process that may be killed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from soundalike.audio.excerpt import WHOLE, Excerpt
from soundalike.audio.segmenter import Segments, segment
from soundalike.audio.sources import AudioSource
from soundalike.audio.windows import WindowPlan
from soundalike.clock.start_time import StartTime
from soundalike.clock.wall_clock import StartTimeRules


@dataclass(frozen=True, slots=True)
class RecordingReader:
    """Reads recordings: splits them into windows and finds their start time.

    Attributes
    ----------
    plan : WindowPlan
    start_rules : StartTimeRules
    spool_dir : Path, optional
        Folder for long recordings; the system's temporary folder by default.
    longest_s : float
        Maximum length of a recording in seconds.
    """

    plan: WindowPlan
    start_rules: StartTimeRules
    spool_dir: Path | None = None
    longest_s: float = math.inf

    def read(
        self,
        source: AudioSource,
        excerpt: Excerpt = WHOLE,
        *,
        name: str | None = None,
        given: datetime | None = None,
        is_upload: bool = False,
    ) -> tuple[Segments, StartTime]:
        """Return the windows of a recording, and its start time.

        Parameters
        ----------
        source, excerpt
            As for `soundalike.audio.segmenter.segment`, which raises the same.
        name, given, is_upload
            As for `soundalike.clock.wall_clock.StartTimeRules.start_of`.
        """
        segments = segment(
            source, self.plan, excerpt, spool_dir=self.spool_dir, longest_s=self.longest_s
        )
        start = self.start_rules.start_of(source, name, given, segments.duration_s, is_upload=is_upload)
        return segments, start
