"""``soundalike normal``: learn what sounds normal, score recordings, and watch a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.anomalies.requests import CHOICES, LearnRequest
from soundalike.cli import normal_models, normal_score, opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.normal_options import WATCH_OPTIONS, watch_request
from soundalike.cli.normal_score import settings_for, tell_heard
from soundalike.cli.page_file import check_place
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, AudioNotFound, ParameterError
from soundalike.search.requests import Narrowing

if TYPE_CHECKING:
    from soundalike.anomalies.detector import Detector
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
#: What learning prints before the model itself.
_CHANGED = ("name", "outcome", "new")


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
    *options.server(),
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
        return normal_models.remove(place, words[0], yes=yes)
    if action in ("watch", "events"):
        from soundalike.cli import normal_watch

        if action == "events":
            return normal_watch.events(place, words[0], watching, as_json=as_json)
        return normal_watch.run(place, words[0], Path(words[1]), watching, as_json=as_json)
    return normal_models.show(place, words[0] if words else None, as_json=as_json)


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
    from soundalike.anomalies.summary import summary_of

    if bool(paths) == (collection is not None):
        raise ParameterError("give folders of normal recordings, or --collection NAME, not both")
    if service := place.service("" if collection else "learning from files"):
        row = service.normal.learn(name, collection or "", request, filters)
        _tell_learned({"name": name, **row}, 0, as_json=as_json)
        return 0
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
    row = {"outcome": learned.outcome, "new": learned.n_new, **summary_of(learned.model)}
    _tell_learned({"name": name, **row}, failed, as_json=as_json)
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


def _tell_learned(row: dict[str, Any], failed: int, *, as_json: bool) -> None:
    """Print what learning has changed: name, outcome, number of new recordings, and the model."""
    from soundalike.anomalies.summary import warnings_of

    if as_json:
        output.json_line({**{key: row[key] for key in _CHANGED}, "failed": failed, **row})
    else:
        low, high = row["false_alarm_interval"]
        output.data(
            f"{row['name']}  {row['outcome']}, {row['new']} new of {row['recordings']} recordings, "
            f"method {row['method']}, threshold {row['threshold']:.3f}: "
            f"{row['false_alarm_rate']:.1%} false alarms (95 % interval {low:.1%} to {high:.1%})"
        )
    for warning in warnings_of(row):
        output.note(f"warning: {warning}")
