"""``soundalike doctor``: check the installation and suggest fixes."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from soundalike.cli import options, output
from soundalike.cli.command import make_command
from soundalike.errors import ConfigError

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.doctor import Check

_NAME_WIDTH = len("timescaledb")
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@make_command("doctor", options.collection())
def command(place: Place, *, as_json: bool, collection: str) -> int:
    """Examine the installation, print a line for each finding."""
    from soundalike.doctor import exit_status
    from soundalike.store.base import check_collection_name

    check_collection_name(collection)
    settings: Settings | ConfigError
    try:
        settings = place.settings()
    except ConfigError as exc:
        settings = exc
    service = place.named_server()
    if service:
        output.note(
            f"examined is this machine, {platform.node()}; {service} is only asked for its status"
        )
    found = []
    for check in _checks(place, settings, collection):
        found.append(check)
        if as_json:
            output.json_line(asdict(check))
        else:
            _show(check)
    counts = Counter(check.state for check in found)
    summary = ", ".join(f"{counts[state]} {state}" for state in ("ok", "warn", "fail") if counts[state])
    output.note(f"{len(found)} checks: {summary}")
    given = place.index_options()[::2]
    if given and any(check.remedy for check in found):
        output.note(f"give the commands of soundalike the same {' and '.join(given)}")
    return exit_status(found)


def _checks(place: Place, settings: Settings | ConfigError, collection: str) -> Iterator[Check]:
    from soundalike.doctor import examine

    yield from examine(settings, collection=collection)
    if place.named_server():
        yield _service(place, collection)


def _service(place: Place, collection: str) -> Check:
    """Ask the service that the environment names what it holds."""
    from soundalike.doctor.checks import Check, guarded

    def ask() -> Check:
        service = place.service()
        assert service is not None
        values = service.status(collection)
        return Check(
            "service",
            "ok",
            f"{service.url} answers: {values['recordings']} recordings in {collection!r}, "
            f"encoder {values['encoder']}; run doctor on its machine to examine it",
        )

    return guarded("service", ask)


def _show(check: Check) -> None:
    code = f" [{check.code}]" if check.code else ""
    message = output.visible(check.message)
    state = output.styled(f"{check.state:4}", _STYLES[check.state])
    output.data(f"{state}  {check.name:{_NAME_WIDTH}}  {message}{code}")
    if check.remedy is not None:
        output.data(f"{'':4}  {'':{_NAME_WIDTH}}  mend it: {output.visible(check.remedy)}")
