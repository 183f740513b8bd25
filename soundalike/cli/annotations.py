"""``soundalike annotations``: labels of spans inside recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.annotations.reading import ANNOTATION_FORMATS
from soundalike.cli import exporting, opening, options, output
from soundalike.cli.command import make_command
from soundalike.errors import AudioError, MetadataError, ParameterError, RecordingNotFound

if TYPE_CHECKING:
    from soundalike.annotations.types import StoredAnnotation
    from soundalike.cli.place import Place
    from soundalike.client.annotations import RemoteAnnotations
    from soundalike.errors import SoundalikeError
    from soundalike.indexing.annotations import ImportedFile
    from soundalike.results.spans import Span
    from soundalike.store import Store

_PARTIAL_FAILURE = AudioError.exit_status
_SHOWN_ROWS = 20
_ACTIONS = ("import", "list", "labels", "export", "remove")


@make_command(
    "annotations",
    click.Argument(
        ["action"],
        type=click.Choice(_ACTIONS),
        default="list",
        help="import label files; list annotations; list their labels; export them; or remove them; "
        "default: list",
    ),
    click.Argument(
        ["files"],
        nargs=-1,
        type=options.FileName(),
        metavar="[FILE]...",
        help="label files to import, or the file to write",
    ),
    click.Option(
        ["--format"],
        type=click.Choice(tuple(dict.fromkeys((*ANNOTATION_FORMATS, *exporting.FORMATS)))),
        help="format of the files; default: from name and content",
    ),
    click.Option(
        ["--recording"],
        metavar="PATH|ID",
        help="import: all rows belong to this recording; otherwise: only annotations of it",
    ),
    click.Option(
        ["--label"],
        metavar="LABEL",
        help="import: label of rows without one; otherwise: only annotations with this label",
    ),
    click.Option(["--label-column"], metavar="NAME", help="import: column of the labels in a table"),
    click.Option(["--source"], metavar="FILE", help="only annotations that came from this label file"),
    options.flag("--yes", help="remove all annotations of the collection without asking"),
    options.collection(),
    *options.server(),
)
def command(
    place: Place, *, as_json: bool, action: str, files: Sequence[Path], yes: bool, **given: Any
) -> int:
    """Run one of the actions."""
    if files and action not in ("import", "export"):
        raise ParameterError(f"annotations {action} takes no FILE")
    if action == "import":
        return _import(place, files, as_json=as_json, **given)
    if given.pop("label_column") is not None:
        raise ParameterError("--label-column belongs to import")
    if given["format"] is not None and action != "export":
        raise ParameterError("--format belongs to import and export")
    with _opened(place) as store:
        if action == "labels":
            with opening.partial_noted():
                return _labels(store, given["collection"], as_json=as_json)
        chosen = _chosen(store, given)
        if action == "remove":
            return _remove(store, chosen, yes=yes, as_json=as_json)
        if action == "export":
            return _export(store, chosen, files, given["format"])
        with opening.partial_noted():
            return _list(store.annotations(**chosen), as_json=as_json)


def _import(place: Place, files: Sequence[Path], *, as_json: bool, **given: Any) -> int:
    from soundalike.client.annotations import RemoteAnnotations
    from soundalike.indexing.annotations import ImportedFile, import_annotations

    if not files:
        raise ParameterError("annotations import needs FILE")
    if given.pop("source") is not None:
        raise ParameterError("--source does not belong to import; the file's path is the source")
    if given["format"] not in (None, *ANNOTATION_FORMATS):
        raise ParameterError(
            f"--format is {given['format']!r}; import reads {', '.join(ANNOTATION_FORMATS)}"
        )
    failed = 0
    with _opened(place) as store:
        if isinstance(store, RemoteAnnotations):
            results: Iterator[Any] = (_sent(store, path, given) for path in files)
        else:
            results = import_annotations(store, files, **given)
        for result in results:
            shown = output.visible(str(result.path if isinstance(result, ImportedFile) else result[0]))
            if not isinstance(result, ImportedFile):
                path, error = result
                failed += 1
                output.note(f"{shown}: {output.visible(error.message)} [{error.code}]")
                if as_json:
                    output.json_line(
                        {"file": str(path), "error_code": error.code, "error": error.message}
                    )
                continue
            failed += len(result.bad)
            bad = [{"line": row.line, "error": row.reason} for row in result.bad]
            if as_json:
                counts = {"added": result.added, "unchanged": result.unchanged}
                output.json_line({"file": str(result.path), **counts, "bad_rows": bad})
            for row in result.bad[:_SHOWN_ROWS]:
                output.note(f"{shown}, line {row.line}: {output.visible(row.reason)}")
            if len(bad) > _SHOWN_ROWS:
                output.note(f"{shown}: and {len(bad) - _SHOWN_ROWS} other rows; --json lists all")
            output.note(
                f"{shown}: {result.added} added, {result.unchanged} unchanged, {len(bad)} failed"
            )
    return _PARTIAL_FAILURE if failed else 0


@contextmanager
def _opened(place: Place) -> Iterator[Store | RemoteAnnotations]:
    """Yield the annotations of this machine, or those of the service."""
    if service := place.service():
        yield service.annotations
        return
    with opening.opened_store(place.settings()) as store:
        yield store


def _sent(
    store: RemoteAnnotations, path: Path, given: dict[str, Any]
) -> ImportedFile | tuple[Path, SoundalikeError]:
    try:
        return store.add(path, **given)
    except (MetadataError, AudioError) as exc:
        return path, exc


def _chosen(store: Store | RemoteAnnotations, given: dict[str, Any]) -> dict[str, Any]:
    """Return which annotations are meant."""
    from soundalike.audio.sources import stored_names
    from soundalike.client.annotations import RemoteAnnotations

    chosen = {"collection": given["collection"]}
    if given["label"] is not None:
        chosen["label"] = given["label"]
    is_remote = isinstance(store, RemoteAnnotations)
    if (source := given["source"]) is not None:
        # A service knows the names of sent files.
        chosen["source"] = Path(source).name if is_remote else str(Path(source).absolute())
    if (key := given["recording"]) is None:
        return chosen
    if isinstance(store, RemoteAnnotations):
        chosen["recording_id"] = store.recording_id(key, given["collection"])
    else:
        names = [key, *stored_names(key)]
        found = store.files_named(names, collection=given["collection"])
        if not found:
            raise RecordingNotFound(
                f"{key!r} is not in the collection {given['collection']!r}; check the name"
            )
        first = next(found[name] for name in names if name in found)
        chosen["recording_id"] = first.recording.recording_id
    return chosen


def _labels(store: Store | RemoteAnnotations, collection: str, *, as_json: bool) -> int:
    found = store.annotation_labels(collection=collection)
    if as_json:
        for label, count in found:
            output.json_line({"label": label, "annotations": count})
    elif found:
        rows = [(output.visible(label), str(count)) for label, count in found]
        output.table(output.columns([("label", "annotations"), *rows], right=(1,)))
    else:
        output.note("there are no annotations yet; import some with: soundalike annotations import FILE")
    return 0


def _list(annotations: Iterator[StoredAnnotation], *, as_json: bool) -> int:
    rows = []
    for one in annotations:
        span = one.annotation
        if as_json:
            output.json_line(
                {
                    **{"uri": one.uri, "start_s": span.start_s, "end_s": span.end_s},
                    **{"label": span.label, "low_hz": span.low_hz, "high_hz": span.high_hz},
                    **{"source": one.source, "created_at": one.created_at},
                    "recording_id": one.recording_id,
                }
            )
            continue
        at = output.seconds(span.start_s, span.end_s)
        rows.append((output.visible(span.label), at, output.visible(output.short_path(one.uri))))
    if rows:
        output.table(output.columns([("label", "at", "clip"), *rows]))
    elif not as_json:
        output.note("no annotation is like this")
    return 0


def _export(
    store: Store | RemoteAnnotations, chosen: dict[str, Any], files: Sequence[Path], kind: str | None
) -> int:
    from soundalike.client.annotations import RemoteAnnotations
    from soundalike.results.spans import annotated_span

    if len(files) != 1:
        raise ParameterError("annotations export needs one FILE, or - for stdout")
    # A path loses the slash at its end, which stands for a folder.
    export = exporting.Export(export=str(files[0]), format=kind)
    export.check()
    if isinstance(store, RemoteAnnotations):
        if export.has_cut_outs:
            raise ParameterError("cut-outs do not go with a service; run it on that machine")
        return export.write(
            annotated_span(one, chosen["collection"]) for one in store.annotations(**chosen)
        )
    return export.write(_spans(store, chosen), exporting.stat_in(store))


def _spans(store: Store, chosen: dict[str, Any]) -> Iterator[Span]:
    from soundalike.results.spans import annotated_span

    collection = chosen["collection"]
    began: dict[str, Any] = {}
    for one in store.annotations(**chosen):
        if one.uri not in began:
            file = store.files_named([one.uri], collection=collection).get(one.uri)
            began = {one.uri: file and file.recording.recorded_at}
        yield annotated_span(one, collection, began[one.uri])


def _remove(
    store: Store | RemoteAnnotations, chosen: dict[str, Any], *, yes: bool, as_json: bool
) -> int:
    is_all = chosen.keys() == {"collection"}
    if is_all and not yes:
        question = f"Remove all annotations of {chosen['collection']}? Type yes:"
        if not opening.confirmed(question):
            output.note("nothing was removed; give --label, --recording or --source, or --yes")
            return 2
    count = store.remove_annotations(**chosen)
    if as_json:
        output.json_line({"removed": count})
    output.note(f"{count} annotations removed")
    return 0
