"""The commands: their names, their summaries and their modules, which are loaded one at a time."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command's place, as ``module:name``, and its summary."""

    place: str
    summary: str


CATALOGUE = {
    "demo": Entry("demo:command", "index toy-data through the Flow and search it"),
    "index": Entry(
        "index:command",
        "index new and changed files",
    ),
    "search": Entry("search:command", "find recordings that sound like a file or a stored recording"),
    "events": Entry("events:command", "list every occurrence of a sound, with its begin and end"),
    "searches": Entry(
        "searches:command", "save searches under names, mark what they find, and run them again"
    ),
    "timeline": Entry("timeline:command", "count similar sounds over time"),
    "duplicates": Entry("duplicates:command", "find copies of recordings, and suggest which to keep"),
    "motifs": Entry("motifs:command", "list sounds that occur again and again, without a query"),
    "map": Entry("map:command", "draw a collection as a map: similar recordings close together"),
    "status": Entry("status:command", "show the size, the encoder and the place of the index"),
    "doctor": Entry("doctor:command", "check the installation and suggest fixes"),
    "delete": Entry("delete:command", "remove files, folders or recordings"),
    "reindex": Entry(
        "reindex:command",
        "rebuild the index from the stored paths, with another encoder or other windows",
    ),
    "collections": Entry("collections:command", "list, create, drop or optimize collections"),
    "export": Entry("exchange:export_command", "write a collection to a file"),
    "import": Entry("exchange:import_command", "read a collection from a file"),
    "annotations": Entry(
        "annotations:command", "import, list, export or remove labels of spans inside recordings"
    ),
    "sql": Entry("sql:command", "run SQL on the database, read-only, or open it in psql"),
    "reset": Entry("reset:command", "delete the whole index with all collections"),
    "serve": Entry("serve:command", "serve the Flow over HTTP and gRPC"),
    "embed": Entry("embed:command", "write the embeddings of sound files"),
    "models": Entry("models:command", "show, download or verify the encoder's weights"),
    "speakers": Entry("speakers:command", "enrol, identify and verify speakers"),
    "normal": Entry("normal:command", "learn what sounds normal, and find what does not"),
    "evaluate": Entry("evaluate:command", "measure retrieval on labelled clips"),
    "completion": Entry("completion:command", "print the script for completion in a shell"),
}
