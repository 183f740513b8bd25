"""Find groups of copies, and suggest which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from soundalike.filters import Filters
from soundalike.repeats.candidates import (
    Candidate,
    candidates,
    files_by_recording,
    nothing_under,
    spec_of,
)
from soundalike.repeats.copies import Copy, Evidence, compare
from soundalike.repeats.requests import DuplicatesRequest
from soundalike.repeats.sounds import Sounds
from soundalike.types import Recording

if TYPE_CHECKING:
    from soundalike.store.protocol import Store

Suggestion = Literal["keep", "remove"]
_DECIMALS_S = 3
#: A copy is part of another one if at most this much of it lies outside: an encoder's padding.
_PADDING_S = 0.2


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a group of copies.

    Attributes
    ----------
    recording : Recording
    start_s, end_s : float
        The part of it that the group's first member holds too.
    offset_s : float
        Second of the group's first member at which this one begins.
    score : float
        How well it agrees with the copy that it was compared with; 1 for the first member.
    evidence : str
        ``content``: the same bytes. ``sound``: the waveforms agree. ``vectors``: the stored vectors
        agree, and the sound could not be read.
    suggestion : str
        ``remove`` for what the first member holds completely, by its sound; ``keep`` for others.
    """

    recording: Recording
    start_s: float
    end_s: float
    offset_s: float
    score: float
    evidence: Evidence
    suggestion: Suggestion


def group_to_json(number: int, members: Sequence[Member]) -> dict[str, Any]:
    """Return the JSON object of a group."""
    return {"group": number, "members": [_to_json(member) for member in members]}


def group_from_json(row: Mapping[str, Any]) -> list[Member]:
    """Return the members of the JSON object of a group.

    Raises
    ------
    KeyError, TypeError, ValueError
        The object has another form.
    """
    return [_from_json(member) for member in row["members"]]


def _from_json(row: Mapping[str, Any]) -> Member:
    recording = Recording(row["recording_id"], row["uri"], row["duration_s"], row["label"])
    names = ("start_s", "end_s", "offset_s", "score", "evidence", "suggestion")
    return Member(recording, **{name: row[name] for name in names})


def _to_json(member: Member) -> dict[str, Any]:
    return {
        "uri": member.recording.uri,
        "recording_id": member.recording.recording_id,
        "start_s": round(member.start_s, _DECIMALS_S),
        "end_s": round(member.end_s, _DECIMALS_S),
        "offset_s": round(member.offset_s, _DECIMALS_S),
        "score": round(member.score, 4),
        "evidence": member.evidence,
        "suggestion": member.suggestion,
        "duration_s": member.recording.duration_s,
        "size_bytes": member.recording.stat and member.recording.stat.size_bytes,
        "label": member.recording.label,
    }


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a recording begins in its group; the score and the evidence of its first comparison."""

    offset_s: float = 0.0
    copy: Copy | None = None


class Groups:
    """Joins copies to groups, and knows the offset of each."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, _Place]] = {}
        self._group_of: dict[str, str] = {}
        self._refused: set[tuple[str, str]] = set()

    def is_open(self, one: Candidate, files: Mapping[str, Sequence[Recording]]) -> bool:
        """Whether it is not yet known that two recordings are copies, or that they are not."""
        if not all(each in files for each in (one.first, one.second)):
            return False
        return _pair(one) not in self._refused and not self.are_together(one.first, one.second)

    def take(self, one: Candidate, copy: Copy | None) -> None:
        """Note how two recordings are copies; None: they are not."""
        if copy is None:
            self._refused.add(_pair(one))
        else:
            self.join(one.first, one.second, copy)

    def are_together(self, first: str, second: str) -> bool:
        """Whether two recordings are in one group."""
        group = self._group_of.get(first)
        return group is not None and group == self._group_of.get(second)

    def join(self, first: str, second: str, copy: Copy) -> None:
        """Put two recordings, and those in their groups, into one group."""
        for each in (first, second):
            if each not in self._group_of:
                self._group_of[each] = each
                self.places[each] = {each: _Place()}
        group, joining = self.places[self._group_of[first]], self.places.pop(self._group_of[second])
        shift_s = group[first].offset_s + copy.offset_s - joining[second].offset_s
        for each, place in joining.items():
            group[each] = replace(place, offset_s=place.offset_s + shift_s)
            self._group_of[each] = self._group_of[first]
        for each in (first, second):
            if group[each].copy is None:
                group[each] = replace(group[each], copy=copy)


def find_duplicates(
    store: Store,
    request: DuplicatesRequest,
    *,
    sounds: Sounds | None = None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[list[Member]]:
    """Return groups of copies, the largest first; nothing is deleted.

    Parameters
    ----------
    store : Store
    request : DuplicatesRequest
    sounds : Sounds, optional
        Reads the sound of recordings; without it the stored vectors are compared, which cannot always
        tell copies from takes.
    on_progress : callable, optional
        Called with the number of recordings that were compared with others, and of all.

    Raises
    ------
    IndexEmpty
        The collection does not exist.
    RecordingNotFound
        Nothing is stored under the path.
    """
    spec = spec_of(store, request.collection)
    files = files_by_recording(store, Filters(uri_prefix=request.under), request.collection)
    if request.under and not files:
        raise nothing_under(request.collection, request.under)
    groups = Groups()
    for done, found in enumerate(candidates(store, spec, request), start=1):
        for one in found:
            if groups.is_open(one, files):
                copy = compare(sounds, store, files[one.first], files[one.second], one, request)
                groups.take(one, copy)
        on_progress(done, len(files))
    return members_of(groups, files, sounds)


def members_of(
    groups: Groups, files: Mapping[str, Sequence[Recording]], sounds: Sounds | None
) -> list[list[Member]]:
    """Return the files of each group, the largest group first."""
    known = {each for group in groups.places.values() for each in group}
    # Files with the same bytes are one recording.
    alone = ({each: _Place()} for each in files if each not in known and len(files[each]) > 1)
    members = [_members(group, files, sounds) for group in (*groups.places.values(), *alone)]
    return sorted(members, key=lambda group: (-len(group), group[0].recording.uri))


def _pair(one: Candidate) -> tuple[str, str]:
    return min(one.first, one.second), max(one.first, one.second)


def _members(
    group: Mapping[str, _Place], files: Mapping[str, Sequence[Recording]], sounds: Sounds | None
) -> list[Member]:
    """Return all files of a group, the one to keep first."""
    best = _best(group, files, sounds)
    kept = files[best][0]
    origin_s = group[best].offset_s
    found = []
    for recording_id, place in group.items():
        offset_s = place.offset_s - origin_s
        for number, file in enumerate(files[recording_id]):
            start_s = min(max(0.0, -offset_s), file.duration_s)
            end_s = max(start_s, min(file.duration_s, kept.duration_s - offset_s))
            is_kept = recording_id == best and number == 0
            is_same = recording_id == best
            is_held = start_s <= _PADDING_S and file.duration_s - end_s <= _PADDING_S
            copy = None if is_same else place.copy
            evidence = copy.evidence if copy else "content"
            found.append(
                Member(
                    file,
                    start_s,
                    end_s,
                    offset_s,
                    copy.score if copy else 1.0,
                    evidence,
                    "remove" if is_held and evidence != "vectors" and not is_kept else "keep",
                )
            )
    return sorted(found, key=lambda member: member.recording.recording_id != best)


def _best(group: Iterable[str], files: Mapping[str, Sequence[Recording]], sounds: Sounds | None) -> str:
    """Return the recording to keep: of the longest ones, the one with the largest file."""
    longest_s = max(files[each][0].duration_s for each in group)
    return max(
        (each for each in group if files[each][0].duration_s >= longest_s - 2 * _PADDING_S),
        key=lambda each: (_size_of(files[each][0], sounds), files[each][0].duration_s, each),
    )


def _size_of(file: Recording, sounds: Sounds | None) -> int:
    """Return the size of a file; 0 if it is not known."""
    if file.stat is not None:
        return file.stat.size_bytes
    return sounds.size_of(file.uri) if sounds else 0
