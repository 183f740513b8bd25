"""``soundalike reindex``: the index made anew from the stored paths."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import asdict

from soundalike.cli import output
from soundalike.cli.commands import (
    UNKNOWN,
    encoder_of,
    opened_store,
    settings_from,
    start_decoding,
    window_plan,
)
from soundalike.cli.report import named_error
from soundalike.errors import AudioError

_PARTIAL_FAILURE = AudioError.exit_status


def run(arguments: argparse.Namespace) -> int:
    """Embed every stored path again; the old index serves until the new one is complete."""
    from soundalike.pipeline import Pipeline
    from soundalike.rebuild import is_rebuilt, plan_rebuild, rebuild
    from soundalike.wall_clock import Dating

    settings = settings_from(arguments)
    start_decoding(UNKNOWN)
    with opened_store(settings) as store:
        before = store.status(collection=arguments.collection).spec
        plan = window_plan(arguments, before)
        dating = Dating.described(settings.time_zone)
        pipeline = Pipeline(store, encoder_of(settings), plan, arguments.collection, dating)
        if before == pipeline.spec:
            output.note(f"nothing to do: the index is made with {before.describe()}")
            return 0
        work = plan_rebuild(pipeline)
        output.note(f"from {work.before.describe()}")
        output.note(f"to   {work.after.describe()}")
        if work.done:
            output.note(f"going on where it stopped: {work.done} files are done")
        counts: Counter[str] = Counter()
        show = output.progress(len(work.files), "embedding")
        started = time.monotonic()
        for number, result in enumerate(
            rebuild(pipeline, work, without_failed=arguments.without_failed), start=1
        ):
            show(number)
            counts["failed" if result.error else "embedded"] += 1
            if arguments.json:
                output.json_line(asdict(result))
            if result.error:
                output.note(f"failed: {output.visible(named_error(result))} [{result.error_code}]")
        is_done = is_rebuilt(pipeline)
    took_s = time.monotonic() - started
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    output.note(f"{len(work.files)} files in {took_s:.1f} s: {summary or 'nothing to embed'}")
    if not is_done:
        output.note(
            "the old index stays in place, because some files cannot be read: bring them back and run "
            "this again, delete them with soundalike delete PATH, or go without them: "
            "soundalike reindex --without-failed"
        )
        return _PARTIAL_FAILURE
    output.note("the new index has taken the old one's place; start a running service again")
    return _PARTIAL_FAILURE if counts["failed"] else 0
