"""``soundalike demo``: the main job on the toy data, through the Flow, over HTTP."""

from __future__ import annotations

import json
import os
import random
import shlex
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.audio.files import find_files
from soundalike.cli import options, output
from soundalike.cli.command import make_command
from soundalike.cli.serve import find_flow, launch_command, launch_environment
from soundalike.config import Settings
from soundalike.errors import ServiceError

if TYPE_CHECKING:
    from soundalike.cli.place import Place

_START_TIMEOUT_S = 180
_REQUEST_TIMEOUT_S = 300
_STOP_TIMEOUT_S = 30
_BATCH = 8
_SHOWN = 3
#: A collection of its own, apart from the user's recordings.
_COLLECTION = "demo"
_READY = "soundalike: ready"
#: Below the ports that Linux uses for outgoing connections and Jina for its executors.
_PORTS = range(20_000, 32_000)


@make_command(
    "demo",
    click.Option(["--flow"], type=options.FileName(), metavar="FILE", help="default: flow.yml"),
    server="noted",
)
def command(place: Place, *, as_json: bool, flow: Path | None) -> int:
    """Index toy-data, search with clips that are not in it, and print what was found."""
    file = find_flow(flow)
    folder = file.parent / "toy-data"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    sounds = find_files([str(folder / name) for name in _indexed_folders(expected)]).files
    queries = [*expected["queries"], *(_as_query(event) for event in expected["events"])]
    # Wherever the command is run: of this machine's files the service reads the toy data.
    settings = replace(place.settings(), roots=(folder,))
    with running_service(file, settings) as service:
        outcomes = _index(service, sounds)
        answers = _search(service, folder, queries)
    if as_json:
        for row in (row for rows in answers for row in rows):
            output.json_line(row)
    else:
        _print_tables(answers, queries)
    _print_verdict(answers, queries, expected["events"])
    _print_encoder(answers)
    _print_next(place)
    return 0 if "failed" not in outcomes and all(answers) else 1


def _indexed_folders(expected: dict[str, Any]) -> list[str]:
    return [*expected["classes"], *{event["file"].split("/")[0] for event in expected["events"]}]


def _as_query(event: dict[str, Any]) -> dict[str, Any]:
    return {"file": event["query"], "label": None}


class Service:
    """The running Flow, as seen over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, endpoint: str, documents: Sequence[dict[str, Any]], **parameters: Any) -> list[Any]:
        """Return the documents that an endpoint answers with.

        Raises
        ------
        ServiceError
            The gateway cannot be reached, or the whole request failed.
        """
        body = json.dumps({"data": documents, "parameters": parameters or None}).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server on this machine
            self.url + endpoint, body, {"Content-Type": "application/json", **_key()}
        )
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_TIMEOUT_S) as answer:  # noqa: S310 - as above
                documents_out: list[Any] = json.load(answer)["data"]
        except urllib.error.HTTPError as exc:
            raise ServiceError(_problem(exc)) from exc
        except OSError as exc:
            raise ServiceError(f"{self.url}{endpoint}: {exc}; see the messages above") from exc
        return documents_out


def _key() -> dict[str, str]:
    key = os.environ.get("SOUNDALIKE_API_KEY")
    return {"X-API-Key": key} if key else {}


def _problem(exc: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(exc)
        return f"{problem['detail']} [{problem['code']}]"
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered {exc.code} {exc.reason}"


@contextmanager
def running_service(flow: Path, settings: Settings) -> Iterator[Service]:
    """Start the Flow on free ports, yield it when it is ready, and stop it."""
    port, grpc_port = _free_ports(2)
    output.note("starting the database and the Flow of four executors; this takes some seconds")
    process = subprocess.Popen(  # noqa: S603 - this interpreter, no shell
        launch_command(
            *(flow, "127.0.0.1", port, grpc_port),
            start_timeout_s=_START_TIMEOUT_S,
            parent=os.getpid(),
        ),
        env=launch_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_ready(process)
        yield Service(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_ports(count: int) -> list[int]:
    """Return free ports.

    Any of them: two demos that start together would both take the first that is free.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise ServiceError(f"no free port between {_PORTS.start} and {_PORTS.stop}; stop what uses them")


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    """Read what the launcher says until it is ready; afterwards a thread drops the rest."""
    last: deque[str] = deque(maxlen=20)
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            last.append(line.rstrip())
            if line.startswith(_READY):
                ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(_START_TIMEOUT_S)
    if process.poll() is not None or not any(line.startswith(_READY) for line in last):
        for line in last:
            output.note(f"  {line}")
        raise ServiceError("the Flow did not start; the lines above are what it said last")


def _index(service: Service, sounds: Sequence[Path]) -> set[str]:
    show = output.progress(len(sounds), "indexing")
    counts: dict[str, int] = {}
    for begin in range(0, len(sounds), _BATCH):
        batch = [{"uri": str(path)} for path in sounds[begin : begin + _BATCH]]
        for document in service.post("/index", batch, collection=_COLLECTION):
            counts[document["outcome"]] = counts.get(document["outcome"], 0) + 1
            if document["error"]:
                output.note(f"failed: {document['uri']}: {document['error']}")
        show(begin + len(batch))
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    output.note(f"indexed {len(sounds)} recordings: {summary}")
    return set(counts)


def _search(
    service: Service, folder: Path, queries: Sequence[dict[str, Any]]
) -> list[list[dict[str, Any]]]:
    documents = [{"id": str(n), "uri": str(folder / query["file"])} for n, query in enumerate(queries)]
    # Only this toy data may answer, whatever else is in the collection.
    found = service.post(
        "/search", documents, top_k=_SHOWN, uri_prefix=f"{folder}/", collection=_COLLECTION
    )
    answers: list[list[dict[str, Any]]] = [[] for _ in queries]
    for document in found:
        if document["error"]:
            output.note(f"failed: {document['uri']}: {document['error']}")
        answers[int(document["id"])] = [
            {"query": document["uri"], "encoder": document["encoder"], **match}
            for match in document["matches"]
        ]
    return answers


def _print_tables(answers: Sequence[list[dict[str, Any]]], queries: Sequence[dict[str, Any]]) -> None:
    for query, rows in zip(queries, answers, strict=True):
        output.data(f"\n{Path(query['file']).name}")
        # The clips were made up; when they came to this machine says nothing.
        for line in output.match_table([{**row, "occurred_at": None} for row in rows]):
            output.data(f"  {line}")


def _print_verdict(
    answers: Sequence[list[dict[str, Any]]],
    queries: Sequence[dict[str, Any]],
    events: Sequence[dict[str, Any]],
) -> None:
    output.note("")
    labelled = [(rows, query) for rows, query in zip(answers, queries, strict=True) if query["label"]]
    right = sum(bool(rows) and rows[0]["label"] == query["label"] for rows, query in labelled)
    output.note(f"{right} of {len(labelled)} queries have their own class first")
    for event in events:
        row = _match_of(answers, queries, event)
        found = output.seconds(row["start_s"], row["end_s"]) if row else "not among the matches"
        known = output.seconds(event["start_s"], event["end_s"])
        output.note(
            f"{Path(event['query']).name} in {Path(event['file']).name}: is at {known}, found at {found}"
        )


def _match_of(
    answers: Sequence[list[dict[str, Any]]],
    queries: Sequence[dict[str, Any]],
    event: dict[str, Any],
) -> dict[str, Any] | None:
    position = [query["file"] for query in queries].index(event["query"])
    rows = answers[position]
    return next((row for row in rows if row["uri"].endswith(event["file"])), None)


def _print_encoder(answers: Sequence[list[dict[str, Any]]]) -> None:
    from soundalike.encoders.weights import GET_WEIGHTS

    encoder = next((row["encoder"] for rows in answers for row in rows), None)
    output.note(f"encoder: {encoder}")
    if encoder != "vggish":
        output.note(
            "  weight-free: it compares the level and movement of 64 frequency bands and has learned "
            f"nothing.\n  For a trained encoder from the package index, run: {GET_WEIGHTS} aisfx\n"
            f"  For VGGish, trained by Google, run: {GET_WEIGHTS}"
        )


def _print_next(place: Place) -> None:
    """Say where the clips are, how to search them, and how to remove them."""
    given = place.index_options()
    output.note(
        f"the clips are in the collection {_COLLECTION!r}, apart from your own recordings\n"
        "  search them with a sound of your own: "
        f"{shlex.join(['soundalike', 'search', 'FILE', '--collection', _COLLECTION, *given])}\n"
        "  remove them: "
        f"{shlex.join(['soundalike', 'collections', 'drop', _COLLECTION, '--yes', *given])}"
    )
