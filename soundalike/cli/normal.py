"""``soundalike normal``: learn what sounds normal, score recordings, and watch a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.anomalies.requests import CHOICES, LearnRequest
from soundalike.cli import normal_score, opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.normal_options import WATCH_OPTIONS, watch_request
from soundalike.cli.normal_score import settings_for, tell_heard
from soundalike.cli.page_file import check_place
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.search.requests import Narrowing

if TYPE_CHECKING:
    from soundalike.anomalies.detector import Detector, Learned
    from soundalike.anomalies.results import NormalRecording
    from soundalike.cli.place import Place
    from soundalike.filters import Filters
    from soundalike.store import Store
    from soundalike.types import IndexSpec

#: Words that an action takes: the least and the most, and how they are written.
_WORDS: dict[str, tuple[int, float, str]] = {
    "learn": (1, float("inf"), "NAME FOLDER..., or NAME --collection COLLECTION"),
    "score": (2, float("inf"), "NAME FILE..."),
    "list": (0, 0, ""),
    "show": (1, 1, "NAME"),
    "remove": (1, 1, "NAME"),
    "watch": (2, 2, "NAME FOLDER"),
    "events": (1, 1, "NAME"),
}


@make_command(
    "normal",
    click.Argument(
        ["action"],
        type=click.Choice(tuple(_WORDS)),
        default="list",
        help="learn NAME FOLDER...: add normal recordings to a model; score NAME FILE...: score "
        "recordings, exit status 1 if one is anomalous; list: show all models; show NAME: show one; "
        "remove NAME: remove one; watch NAME FOLDER: score each new recording of a folder; "
        "events NAME: show what watching has found; default: list",
    ),
    click.Argument(
        ["words"],
        nargs=-1,
        type=options.FileName(str),
        metavar="[NAME] [PATH]...",
        help="name of the model, and files or folders",
    ),
    options.option_of(
        LearnRequest, "false_alarm_rate", "--false-alarm-rate", type=float, metavar="RATE"
    ),
    options.option_of(LearnRequest, "method", "--method", type=click.Choice(CHOICES)),
    options.option_of(LearnRequest, "group_pattern", "--group-pattern", metavar="REGEX"),
    options.option_of(LearnRequest, "replace", "--replace"),
    options.option_of(LearnRequest, "accept", "--accept"),
    click.Option(
        ["--collection"],
        metavar="NAME",
        help="learn: from the recordings of this collection, instead of files; nothing is decoded",
    ),
    options.option_of(
        Narrowing, "labels", "--label", more="; repeatable", multiple=True, metavar="LABEL"
    ),
    options.tags(Narrowing),
    options.option_of(
        Narrowing, "where", "--where", more="; repeatable", multiple=True, metavar="CONDITION"
    ),
    click.Option(
        ["uri_prefix", "--under"],
        default="",
        type=options.FileName(str),
        metavar="PATH",
        help="only recordings under this path",
        callback=lambda ctx, param, value: options.prefix_below(value),
    ),
    click.Option(
        ["--report"],
        type=options.FileName(),
        metavar="FILE.html",
        help="score: write a page that shows each recording beside its nearest normal clip",
    ),
    options.flag("--yes", help="remove without asking"),
    *WATCH_OPTIONS,
    *options.encoding(),
    server="refused",
)
def command(
    place: Place,
    *,
    as_json: bool,
    action: str,
    words: tuple[str, ...],
    collection: str | None,
    report: Path | None,
    yes: bool,
    **given: Any,
) -> int:
    """Run one of the actions."""
    least, most, usage = _WORDS[action]
    if not least <= len(words) <= most:
        raise ParameterError(f"give: soundalike normal {action} {usage}".rstrip())
    from soundalike.cli.search import filters_of

    watching = watch_request(action, given)
    filters = filters_of(given, place)
    request = LearnRequest(**given)
    _check_options(action, request, collection, filters)
    if report is not None:
        if action != "score":
            raise ParameterError(f"--report belongs to score; the action is {action}")
        check_place("report", report, ".html", ".htm")
    if action == "learn":
        return _learn(place, words[0], words[1:], request, collection, filters, as_json=as_json)
    if action == "score":
        return normal_score.run(place, words[0], words[1:], report, as_json=as_json)
    if action == "remove":
        return _remove(place, words[0], yes=yes)
    if action in ("watch", "events"):
        from soundalike.cli import normal_watch

        if action == "events":
            return normal_watch.events(place, words[0], watching, as_json=as_json)
        return normal_watch.run(place, words[0], Path(words[1]), watching, as_json=as_json)
    return _show(place, words[0] if words else None, as_json=as_json)


def _check_options(action: str, request: LearnRequest, collection: str | None, filters: Filters) -> None:
    """Raise `ParameterError` for options that belong to another action."""
    from soundalike.filters import Filters

    if action != "learn" and request != LearnRequest():
        raise ParameterError(
            "--false-alarm-rate, --method, --group-pattern, --replace and --accept belong to learn; the "
            f"action is {action}"
        )
    if action != "learn" and collection is not None:
        raise ParameterError(f"--collection belongs to learn; the action is {action}")
    if collection is None and filters != Filters(time_zone=filters.time_zone):
        raise ParameterError("--label, --tag, --where and --under need learn --collection NAME")


def _learn(
    place: Place,
    name: str,
    paths: Sequence[str],
    request: LearnRequest,
    collection: str | None,
    filters: Filters,
    *,
    as_json: bool,
) -> int:
    from soundalike.anomalies.detector import Detector

    if bool(paths) == (collection is not None):
        raise ParameterError("give folders of normal recordings, or --collection NAME, not both")
    if paths:
        opening.start_decoding(opening.UNKNOWN)
    with opening.opened_store(place.settings()) as store:
        detector = Detector(store)
        if collection is None:
            spec, recordings, failed = _from_files(place, detector, name, paths, request)
        else:
            spec, recordings = _from_collection(store, collection, filters, request)
            failed = 0
        learned = detector.learn(name, recordings, spec, request)
    _tell_learned(name, learned, failed, as_json=as_json)
    return AudioError.exit_status if failed else 0


def _from_files(
    place: Place, detector: Detector, name: str, paths: Sequence[str], request: LearnRequest
) -> tuple[IndexSpec, list[NormalRecording], int]:
    from soundalike.anomalies.detector import check_same, listen
    from soundalike.encoders.base import index_spec
    from soundalike.store.normal_models import checked_model_name

    known = None if request.replace else detector.spec_of(checked_model_name(name))
    files = sound_files(paths).files
    if not files:
        raise AudioNotFound(f"no sound files are in {', '.join(paths)}; check the path")
    encoder = opening.encoder_of(settings_for(place, known))
    plan = place.windows(known)
    spec = index_spec(encoder, plan)
    if known is not None:
        check_same(name, known, spec)
    show = output.progress(len(files), "listening")
    recordings, failed = [], 0
    for number, heard in enumerate(listen(files, encoder, plan, request=request), start=1):
        show(number)
        tell_heard(heard)
        if heard.recording is None:
            failed += 1
        else:
            recordings.append(heard.recording)
    return spec, recordings, failed


def _from_collection(
    store: Store, collection: str, filters: Filters, request: LearnRequest
) -> tuple[IndexSpec, list[NormalRecording]]:
    from soundalike.anomalies.detector import stored_recordings
    from soundalike.store.base import not_indexed

    spec = store.status(collection=collection).spec
    if spec is None:
        raise not_indexed(collection)
    return spec, list(stored_recordings(store, collection, filters, request))


def _tell_learned(name: str, learned: Learned, failed: int, *, as_json: bool) -> None:
    from soundalike.anomalies.summary import summary_of, warnings_of

    summary = summary_of(learned.model)
    if as_json:
        row = {"name": name, "outcome": learned.outcome, "new": learned.n_new, "failed": failed}
        output.json_line({**row, **summary})
    else:
        low, high = summary["false_alarm_interval"]
        output.data(
            f"{name}  {learned.outcome}, {learned.n_new} new of {summary['recordings']} recordings, "
            f"method {summary['method']}, threshold {summary['threshold']:.3f}: "
            f"{summary['false_alarm_rate']:.1%} false alarms (95 % interval {low:.1%} to {high:.1%})"
        )
    for warning in warnings_of(learned.model):
        output.note(f"warning: {warning}")


def _show(place: Place, name: str | None, *, as_json: bool) -> int:
    from soundalike.store.normal_models import normal_not_found

    with opening.opened_store(place.settings()) as store:
        found = [one for one in store.normal_models() if name in (None, one.name)]
        if name is not None and not found:
            raise normal_not_found(name)
        rows = [
            {
                "name": one.name,
                "version": one.version,
                **one.summary,
                "created_at": one.created_at.isoformat(),
                "updated_at": one.updated_at.isoformat(),
            }
            for one in found
        ]
        if name is not None:
            rows[0]["learned"] = _recordings(store, name)
    if as_json:
        for row in rows:
            output.json_line(row)
    elif not rows:
        output.note("there are no models; learn one: soundalike normal learn NAME FOLDER")
    elif name is None:
        output.table(_table(rows))
    else:
        _show_one(rows[0])
    return 0


def _recordings(store: Store, name: str) -> list[dict[str, Any]]:
    from soundalike.anomalies.detector import Detector

    model = Detector(store).model(name)
    scores = model.held_out.scores.tolist()
    return [
        {
            "uri": found.uri,
            "recording_id": found.recording_id,
            "session": found.group,
            "score": round(score, 6),
            "accepted": found.is_accepted,
        }
        for found, score in zip(model.recordings, scores, strict=True)
    ]


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    header = ("model", "recordings", "method", "threshold", "false alarms", "encoder")
    lines = [
        (
            row["name"],
            str(row["recordings"]),
            row["method"],
            f"{row['threshold']:.3f}",
            f"{row['false_alarm_rate']:.1%}",
            row["encoder"],
        )
        for row in rows
    ]
    return output.columns([header, *lines], right=(1, 3, 4))


def _show_one(row: dict[str, Any]) -> None:
    learned = row.pop("learned")
    for line in output.columns([(key, _shown(value)) for key, value in row.items()]):
        output.data(line)
    output.data("")
    header = ("score without itself", "recording", "")
    lines = [
        (
            f"{found['score']:.3f}",
            output.visible(output.short_path(found["uri"])),
            "accepted" if found["accepted"] else "",
        )
        for found in sorted(learned, key=lambda one: -one["score"])
    ]
    output.table(output.columns([header, *lines], right=(0,)))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " to ".join(f"{part:g}" for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{key} {part:g}" for key, part in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _remove(place: Place, name: str, *, yes: bool) -> int:
    from soundalike.store.normal_models import checked_model_name, normal_not_found

    checked_model_name(name)
    if not yes and not opening.confirmed(f"Remove the model {name} with its events? Type yes:"):
        output.note("nothing was removed; confirm with --yes")
        return 2
    with opening.opened_store(place.settings()) as store:
        if not store.remove_normal_model(name):
            raise normal_not_found(name)
    output.note(f"the model {name} was removed; the recordings stay")
    return 0
