"""Files to index, with their labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from soundalike.audio import urls
from soundalike.audio.files import FileList, find_files
from soundalike.audio.sources import plain_path
from soundalike.clock.wall_clock import StartTimeRules, parse_moment
from soundalike.errors import AudioNotFound, ParameterError
from soundalike.indexing.items import IndexItem, with_metadata
from soundalike.indexing.metadata import find_tables, read_file_metadata
from soundalike.library.asking import moment_text
from soundalike.remote.objects import RemoteObject, with_remote

Paths = str | Path | Iterable[str | Path]
#: One label for all files, or a label for each path: of a file, or of a folder for all files below it.
Labels = str | Mapping[str | Path, str]


def sound_files(paths: Paths) -> FileList:
    """Return the sound files that paths name: files, folders and glob patterns; URLs are left out.

    Raises
    ------
    AudioNotFound
        A path names nothing, or a folder that cannot be read.
    """
    named = _listed(paths)
    if not named or not all(named):
        # An empty path would mean the working folder.
        raise AudioNotFound("a path is missing or empty; give that of a file or folder")
    found = find_files(urls.separated(named)[1])
    if found.missing:
        raise AudioNotFound(f"nothing is at {', '.join(found.missing)}; check the path")
    for folder, reason in found.unreadable.items():
        raise AudioNotFound(f"{str(folder)!r} cannot be read: {reason}; check its permissions")
    return found


def _listed(paths: Paths) -> list[str]:
    several: Iterable[str | Path] = [paths] if isinstance(paths, str | Path) else paths
    try:
        return [plain_path(os.path.expanduser(path)) for path in several]
    except TypeError as exc:
        raise ParameterError(f"paths cannot be read ({exc}); give a path or a list of paths") from exc


def remote_files(paths: Paths, files: FileList) -> tuple[list[RemoteObject], FileList]:
    """Return the recordings that URLs name, and the files with what else is known of them."""
    return with_remote(files, urls.separated(_listed(paths))[0])


def named_paths(paths: Paths, files: FileList) -> list[str | Path]:
    """Return the folders that paths name, and the files that they name themselves or by a pattern."""
    return [*(path for path in _listed(paths) if os.path.isdir(path)), *files.named]


def needed_files(paths: Paths) -> list[Path]:
    """Return the sound files that paths name, at least one; see `sound_files`."""
    if remote := urls.separated(_listed(paths))[0]:
        raise ParameterError(f"{remote[0]!r} is a URL, which index takes alone; give paths")
    found = sound_files(paths).files
    if not found:
        raise AudioNotFound(f"no sound files are in {paths}; check the path")
    return found


def items_of(
    files: FileList,
    remote: Sequence[RemoteObject],
    labels: Labels | None,
    tags: Mapping[str, Any],
    recorded_at: str | date | None,
    rules: StartTimeRules,
) -> list[IndexItem]:
    """Return the files to index; tables beside the files override what is given for all.

    Raises
    ------
    ParameterError
        A label is for no file, or the time cannot be read.
    MetadataError
        A table cannot be read.
    """
    if not isinstance(tags, Mapping):
        raise ParameterError(f"tags is a {type(tags).__name__}; give a mapping from names to values")
    began = None
    if recorded_at is not None:
        began = parse_moment(moment_text(recorded_at), rules.zone, "recorded_at")
    here, there = _labels_of_paths(labels), _labels_of_urls(labels)
    label_of = _label_of(files.files, here)
    remote_items = [
        IndexItem(one.uri, _label_of_url(one.uri, there), tags, began, remote=one) for one in remote
    ]
    items = [IndexItem(str(path), label_of.get(path), tags, began) for path in files.files]
    tables = find_tables(files)
    if not tables:
        return [*items, *remote_items]
    told = read_file_metadata(tables, [], rules.zone)
    described = [
        with_metadata(item, told[path]) if path in told else item
        for item, path in zip(items, files.files, strict=True)
    ]
    return [*described, *remote_items]


def _labels_of_paths(labels: Labels | None) -> Labels | None:
    if not isinstance(labels, Mapping):
        return labels
    return {path: label for path, label in labels.items() if not urls.is_remote(str(path))}


def _labels_of_urls(labels: Labels | None) -> str | dict[str, str] | None:
    if not isinstance(labels, Mapping):
        return labels
    return {
        urls.checked_url(str(url)).rstrip("/"): label
        for url, label in labels.items()
        if urls.is_remote(str(url))
    }


def _label_of_url(url: str, labels: str | dict[str, str] | None) -> str | None:
    if not isinstance(labels, dict):
        return labels
    # The nearest folder decides.
    above = [name for name in labels if f"{url}/".startswith(f"{name}/")]
    return labels[max(above, key=len)] if above else None


def _label_of(files: Sequence[Path], labels: Labels | None) -> dict[Path, str]:
    if labels is None:
        return {}
    if isinstance(labels, str):
        return dict.fromkeys(files, labels)
    if not isinstance(labels, Mapping) or not all(isinstance(each, str) for each in labels.values()):
        raise ParameterError(
            f"labels is {labels!r}; give one text for all files, or a mapping from paths to texts"
        )
    by_path = {Path(os.path.abspath(os.path.expanduser(path))): label for path, label in labels.items()}
    found: dict[Path, str] = {}
    used: set[Path] = set()
    for file in files:
        # The nearest folder decides.
        name = next((path for path in (file, *file.parents) if path in by_path), None)
        if name is not None:
            found[file] = by_path[name]
            used.add(name)
    if unused := by_path.keys() - used:
        raise ParameterError(
            f"labels has {str(min(unused))!r}, which is none of the files; check the path"
        )
    return found
