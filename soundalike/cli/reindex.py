"""``soundalike reindex``: rebuild the index, or decode again what an earlier decoder decoded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.report import named_error, unsearchable
from soundalike.errors import AudioError
from soundalike.indexing.requests import ReindexRequest

if TYPE_CHECKING:
    from pathlib import Path

    from soundalike.cli.place import Place
    from soundalike.indexing.items import IndexResult
    from soundalike.indexing.pipeline import Pipeline

_PARTIAL_FAILURE = AudioError.exit_status


@make_command(
    "reindex",
    options.option_of(ReindexRequest, "without_failed", "--without-failed"),
    options.collection(),
    *options.encoding(),
    server="refused",
)
def command(place: Place, *, as_json: bool, **given: Any) -> int:
    """Embed every stored path again; the old index serves until the new one is complete.

    Where encoder and windows are those of the index, decode again what an earlier decoder has decoded.
    """
    from soundalike.clock.wall_clock import StartTimeRules
    from soundalike.indexing.pipeline import Pipeline
    from soundalike.remote.spool import SpoolPlace

    request = ReindexRequest(**given)
    settings = place.settings()
    uploads = settings.uploads_dir.absolute()
    opening.start_decoding(opening.UNKNOWN)
    with opening.opened_store(settings) as store:
        before = store.status(collection=request.collection).spec
        plan = place.windows(before)
        start_rules = StartTimeRules.described(settings.time_zone)
        encoder = opening.encoder_of(settings)
        spool = SpoolPlace.of(settings)
        pipeline = Pipeline(store, encoder, plan, request.collection, start_rules, spool=spool)
        if before == pipeline.spec:
            return _renew(pipeline, uploads, as_json=as_json)
        return _rebuild(request, pipeline, uploads, as_json=as_json)


def _renew(pipeline: Pipeline, uploads: Path, *, as_json: bool) -> int:
    from soundalike.indexing.renewing import find_outdated, renew
    from soundalike.store.renewal import earlier_decoder

    outdated = find_outdated(pipeline)
    if not outdated:
        output.note(f"nothing to do: the index is made with {pipeline.spec.describe()}")
        return 0
    output.note(f"{earlier_decoder(len(outdated))}; decoding again, while the index serves")
    started = time.monotonic()
    results = renew(pipeline, outdated, uploads)
    counts, n_hidden = _told(results, len(outdated), "decoding", as_json=as_json)
    _sum_up(counts, n_hidden, f"{len(outdated)} recordings", time.monotonic() - started)
    if not counts["failed"]:
        return 0
    output.note(
        "what failed stays in the index as it was: bring the files back and run this again, or delete "
        "them with soundalike delete PATH"
    )
    return _PARTIAL_FAILURE


def _rebuild(request: ReindexRequest, pipeline: Pipeline, uploads: Path, *, as_json: bool) -> int:
    from soundalike.indexing.reindex import is_rebuilt, plan_rebuild, rebuild

    work = plan_rebuild(pipeline)
    output.note(f"from {work.before.describe()}")
    output.note(f"to   {work.after.describe()}")
    if work.done:
        output.note(f"going on where it stopped: {work.done} files are done")
    started = time.monotonic()
    results = rebuild(pipeline, work, without_failed=request.without_failed, uploads=uploads)
    found, n_hidden = _told(results, len(work.files), "embedding", as_json=as_json)
    n_failed = found["failed"]
    counts = {"embedded": found.total() - n_failed, "failed": n_failed}
    _sum_up(counts, n_hidden, f"{len(work.files)} files", time.monotonic() - started)
    if not is_rebuilt(pipeline):
        output.note(
            "the old index stays in place, because some files cannot be read: bring them back and run "
            "this again, delete them with soundalike delete PATH, or go without them: "
            "soundalike reindex --without-failed"
        )
        return _PARTIAL_FAILURE
    output.note("the new index has taken the old one's place; start a running service again")
    return _PARTIAL_FAILURE if n_failed else 0


def _told(
    results: Iterable[IndexResult], total: int, label: str, *, as_json: bool
) -> tuple[Counter[str], int]:
    """Tell what becomes of each; return how many have which outcome, and how many no search finds."""
    counts: Counter[str] = Counter()
    n_hidden = 0
    show = output.progress(total, label)
    for number, result in enumerate(results, start=1):
        show(number)
        counts[result.outcome] += 1
        n_hidden += result.is_unsearchable
        if as_json:
            output.json_line(asdict(result))
        for warning in result.warnings:
            output.note(f"warning: {output.short_path(result.uri)}: {warning}")
        if result.error:
            output.note(f"failed: {output.visible(named_error(result))} [{result.error_code}]")
    return counts, n_hidden


def _sum_up(counts: Mapping[str, int], n_hidden: int, what: str, took_s: float) -> None:
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()) if count)
    output.note(f"{what} in {took_s:.1f} s: {summary or 'nothing to do'}")
    if n_hidden:
        output.note(unsearchable(n_hidden))
