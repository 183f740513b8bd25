"""``soundalike doctor``: what is right, what is not, and the commands that mend it."""

from __future__ import annotations

import argparse
import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from soundalike.cli import output
from soundalike.cli.commands import settings_from
from soundalike.cli.server import named_server, service_from
from soundalike.errors import ConfigError

if TYPE_CHECKING:
    from soundalike.config import Settings
    from soundalike.doctor import Check

_NAME_WIDTH = len("timescaledb")


def run(arguments: argparse.Namespace) -> int:
    """Examine the installation, print a line for each finding."""
    from soundalike.doctor import exit_status
    from soundalike.store.base import check_collection_name

    check_collection_name(arguments.collection)
    settings: Settings | ConfigError
    try:
        settings = settings_from(arguments)
    except ConfigError as exc:
        settings = exc
    service = named_server(arguments)
    if service:
        output.note(
            f"examined is this machine, {platform.node()}; {service} is only asked for its status"
        )
    found = []
    for check in _checks(arguments, settings):
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


def _checks(arguments: argparse.Namespace, settings: Settings | ConfigError) -> Iterator[Check]:
    from soundalike.doctor import examine

    yield from examine(settings, collection=arguments.collection)
    if named_server(arguments):
        yield _service(arguments)


def _service(arguments: argparse.Namespace) -> Check:
    """Ask the service that the environment names what it holds."""
    from soundalike.doctor.checks import Check, guarded

    def ask() -> Check:
        service = service_from(arguments)
        assert service is not None
        values = service.status(arguments.collection)
        return Check(
            "service",
            "ok",
            f"{service.url} answers: {values['recordings']} recordings in {arguments.collection!r}, "
            f"encoder {values['encoder']}; run doctor on its machine to examine it",
        )

    return guarded("service", ask)


def _attribute(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _show(check: Check) -> None:
    code = f" [{check.code}]" if check.code else ""
    message = output.visible(check.message)
    output.data(f"{check.state:4}  {check.name:{_NAME_WIDTH}}  {message}{code}")
    if check.remedy is not None:
        output.data(f"{'':4}  {'':{_NAME_WIDTH}}  mend it: {output.visible(check.remedy)}")
