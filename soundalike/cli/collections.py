"""``soundalike collections``: several named indexes side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from soundalike.cli import output
from soundalike.cli.commands import confirmed, encoder_of, opened_store, settings_from, window_plan
from soundalike.cli.server import service_from
from soundalike.errors import ParameterError, RecordingNotFound

if TYPE_CHECKING:
    from soundalike.client import Service
    from soundalike.store.protocol import Store

#: What is told of a collection.
_COLUMNS = (
    *("collection", "recordings", "windows", "encoder", "fingerprint", "dimension"),
    *("window_s", "stride_s"),
)


def run(arguments: argparse.Namespace) -> int:
    """List, create, drop or optimize collections."""
    if (arguments.action == "list") != (arguments.name is None):
        raise ParameterError(
            f"collections {arguments.action} {'takes no' if arguments.name else 'needs a'} name"
        )
    if service := service_from(arguments):
        return _on_service(service, arguments)
    with opened_store(settings_from(arguments)) as store:
        if arguments.action == "create":
            return _create(store, arguments)
        if arguments.action == "drop":
            return _drop(arguments, store.drop_collection)
        if arguments.action == "optimize":
            store.optimize(collection=arguments.name)
            output.note(f"collection {arguments.name}: the vector index is as it should be")
            return 0
        return _list(_rows(store), as_json=arguments.json)


def _on_service(service: Service, arguments: argparse.Namespace) -> int:
    if arguments.action == "drop":
        return _drop(arguments, service.drop)
    if arguments.action != "list":
        raise ParameterError(
            f"collections {arguments.action} does not go through {service.url}; run it on that machine"
        )
    rows = [{"collection": found["name"], **found} for found in service.collections()]
    return _list([{name: row[name] for name in _COLUMNS} for row in rows], as_json=arguments.json)


def _rows(store: Store) -> list[dict[str, Any]]:
    rows = []
    for name, spec in store.collections().items():
        counts = store.status(collection=name)
        rows.append(
            {
                "collection": name,
                "recordings": counts.recordings,
                "windows": counts.windows,
                **asdict(spec),
            }
        )
    return rows


def _list(rows: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        for row in rows:
            output.json_line(row)
        return 0
    if not rows:
        output.note("there are none yet; the first index command makes one")
        return 0
    header = ("collection", "recordings", "windows", "encoder", "dimension", "window", "stride")
    lines = [
        (
            row["collection"],
            str(row["recordings"]),
            str(row["windows"]),
            row["encoder"],
            str(row["dimension"]),
            f"{row['window_s']:g} s",
            f"{row['stride_s']:g} s",
        )
        for row in rows
    ]
    for line in output.columns([header, *lines], right=(1, 2, 4, 5, 6)):
        output.data(line)
    return 0


def _create(store: Store, arguments: argparse.Namespace) -> int:
    from soundalike.encoders.base import index_spec

    encoder = encoder_of(settings_from(arguments))
    spec = index_spec(encoder, window_plan(arguments, None))
    store.create_collection(arguments.name, spec)
    output.note(f"collection {arguments.name}: {spec.describe()}")
    return 0


def _drop(arguments: argparse.Namespace, drop: Callable[[str], bool]) -> int:
    name = arguments.name
    if not arguments.yes and not confirmed(f"Delete the collection {name}? Type yes:"):
        output.note("nothing was deleted; confirm with --yes")
        return 2
    if not drop(name):
        raise RecordingNotFound(f"there is no collection {name!r}; see: soundalike collections")
    output.note(f"the collection {name} was deleted")
    return 0
