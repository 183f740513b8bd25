"""``soundalike doctor``: what is right, what is not, and the commands that mend it."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import settings_from
from soundalike.errors import ConfigError

if TYPE_CHECKING:
    from soundalike.config import Settings
    from soundalike.doctor import Check

_NAME_WIDTH = len("timescaledb")


def run(arguments: argparse.Namespace) -> int:
    """Examine the installation, print a line for each finding."""
    from soundalike.doctor import examine, exit_status
    from soundalike.store.base import check_collection_name

    check_collection_name(arguments.collection)
    settings: Settings | ConfigError
    try:
        settings = settings_from(arguments)
    except ConfigError as exc:
        settings = exc
    found = []
    for check in examine(settings, collection=arguments.collection):
        found.append(check)
        if arguments.json:
            output.json_line(asdict(check))
        else:
            _show(check)
    counts = Counter(check.state for check in found)
    summary = ", ".join(f"{counts[state]} {state}" for state in ("ok", "warn", "fail") if counts[state])
    output.note(f"{len(found)} checks: {summary}")
    given = [name for name in ("--database-url", "--data-dir") if getattr(arguments, _attribute(name))]
    if given and any(check.remedy for check in found):
        output.note(f"give the commands of soundalike the same {' and '.join(given)}")
    return exit_status(found)


def _attribute(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _show(check: Check) -> None:
    code = f" [{check.code}]" if check.code else ""
    message = output.visible(check.message)
    output.data(f"{check.state:4}  {check.name:{_NAME_WIDTH}}  {message}{code}")
    if check.remedy is not None:
        output.data(f"{'':4}  {'':{_NAME_WIDTH}}  mend it: {output.visible(check.remedy)}")
