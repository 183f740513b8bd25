"""The commands: their names, their summaries and their modules, which are loaded one at a time."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command is, as ``module:name``, and what it does."""

    place: str
    summary: str


CATALOGUE = {
    "demo": Entry("demo:command", "index toy-data through the Flow and search it"),
    "index": Entry(
        "index:command",
        "make the index agree with files and folders: add what is new, replace what has changed",
    ),
    "search": Entry("search:command", "find what sounds like a file, or like something that is stored"),
    "timeline": Entry(
        "timeline:command", "count by wall-clock time when something like a file was heard"
    ),
    "status": Entry("status:command", "show what is indexed, with what, and where"),
    "doctor": Entry(
        "doctor:command", "examine the installation, and say which commands mend what is wrong"
    ),
    "delete": Entry("delete:command", "remove files, folders or recordings"),
    "reindex": Entry(
        "reindex:command",
        "make the index anew from the stored paths, with another encoder or other windows",
    ),
    "collections": Entry("collections:command", "list, create, drop or optimize named indexes"),
    "export": Entry("exchange:export_command", "write an index into a file"),
    "import": Entry("exchange:import_command", "read an index out of a file"),
    "sql": Entry("sql:command", "run SQL on the database, read-only, or open it in psql"),
    "reset": Entry("reset:command", "delete the whole index with all collections"),
    "serve": Entry("serve:command", "serve the Flow over HTTP and gRPC"),
    "embed": Entry("embed:command", "write the embeddings of sound files"),
    "models": Entry("models:command", "look after the encoder's weights"),
    "evaluate": Entry("evaluate:command", "measure retrieval on labelled clips"),
    "completion": Entry("completion:command", "print the script that completes commands in a shell"),
}
