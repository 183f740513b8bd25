"""The commands and their options."""

from __future__ import annotations

import argparse
from pathlib import Path

from soundalike.cli import (
    collections,
    commands,
    demo,
    doctor,
    embed,
    evaluate,
    exchange,
    index,
    index_vectors,
    models,
    options,
    paths,
    reindex,
    search,
    serve,
    server,
    sql,
    timeline,
)

_QUERY_THERE = "with --server, FILE is a path on its machine; otherwise the file is sent"
_LAST_PORT = 65535


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="soundalike",
        description="Find recordings that contain something like a given sound, and at which second.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=commands.version_or_help, parser=parser)
    subparsers = parser.add_subparsers(metavar="COMMAND")

    def add(
        name: str, run: object, summary: str, *parents: argparse.ArgumentParser
    ) -> argparse.ArgumentParser:
        command = subparsers.add_parser(
            name, help=summary, description=summary, parents=[options.common(), *parents]
        )
        command.set_defaults(run=run)
        return command

    _add_demo(
        add("demo", server.on_this_machine(demo.run), "index toy-data through the Flow and search it")
    )
    _add_index(
        add(
            "index",
            index.run,
            "make the index agree with files and folders: add what is new, replace what has changed",
            options.encoding(),
            options.collection(),
            options.time_zone("times of recordings that name none"),
            options.server(
                what_is_there="with --server, PATH is a folder on its machine; otherwise the files "
                "are sent and kept there"
            ),
        )
    )
    _add_search(
        add(
            "search",
            search.run,
            "find what sounds like a file, or like something that is stored",
            options.query(),
            options.encoding(),
            options.collections(),
            options.filters(),
            options.server(what_is_there=_QUERY_THERE),
        )
    )
    _add_timeline(
        add(
            "timeline",
            timeline.run,
            "count by wall-clock time when something like a file was heard",
            options.query(),
            options.encoding(),
            options.collection(),
            options.filters(),
            options.server(what_is_there=_QUERY_THERE),
        )
    )
    add(
        "status",
        commands.status,
        "show what is indexed, with what, and where",
        options.collection(),
        options.server(),
    )
    add(
        "doctor",
        doctor.run,
        "examine the installation, and say which commands mend what is wrong",
        options.collection(),
    )
    _add_delete(
        add(
            "delete",
            commands.delete,
            "remove files, folders or recordings",
            options.collection(),
            options.server(),
        )
    )
    _add_reindex(
        add(
            "reindex",
            server.only_here(reindex.run),
            "make the index anew from the stored paths, with another encoder or other windows",
            options.encoding(),
            options.collection(),
        )
    )
    _add_collections(
        add(
            "collections",
            collections.run,
            "list, create, drop or optimize named indexes",
            options.encoding(),
            options.server(),
        )
    )
    export, import_, reset = map(server.only_here, (exchange.export, exchange.import_, commands.reset))
    _add_export(add("export", export, "write an index into a file", options.collection()))
    _add_import(add("import", import_, "read an index out of a file"))
    _add_sql(
        add("sql", server.only_here(sql.run), "run SQL on the database, read-only, or open it in psql")
    )
    _add_reset(add("reset", reset, "delete the whole index with all collections"))
    _add_serve(add("serve", server.on_this_machine(serve.run), "serve the Flow over HTTP and gRPC"))
    without_index = options.encoding(of_index=False)
    _add_embed(
        add(
            "embed",
            server.on_this_machine(embed.run),
            "write the embeddings of sound files",
            without_index,
        )
    )
    _add_models(add("models", server.on_this_machine(models.run), "look after the encoder's weights"))
    _add_evaluate(
        add(
            "evaluate",
            server.on_this_machine(evaluate.run),
            "measure retrieval on labelled clips",
            without_index,
        )
    )
    return parser


def _add_demo(command: argparse.ArgumentParser) -> None:
    command.add_argument("--flow", type=Path, metavar="FILE", help="default: flow.yml")


def _add_index(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="*", metavar="PATH", help="file, folder or glob pattern")
    command.add_argument(
        "--label", help="label of all files; default: the name of the folder that holds each"
    )
    command.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="tag of all files; may be repeated",
    )
    command.add_argument(
        "--recorded-at",
        metavar="TIME",
        help="when all these files began, in ISO 8601; default: what each file's header, its name or "
        "the time of its last change tells",
    )
    command.add_argument(
        "--time-pattern",
        action="append",
        default=[],
        metavar="PATTERN",
        help="how the time stands in file names, as for strptime, like %%y%%m%%d%%H%%M%%S; repeatable; "
        "tried before the usual ones",
    )
    paths.add_metadata(
        command,
        "label (or category), recorded_at; every other column becomes a tag. What it says of a file "
        "outdoes --label, --tag and --recorded-at",
    )
    command.add_argument(
        "--checksum",
        action="store_true",
        help="read every file; otherwise one whose size and time of last change are those stored is "
        "taken for unchanged",
    )
    command.add_argument(
        "--prune",
        action="store_true",
        help="take out of the index what is gone from these folders, patterns and paths; refused where "
        "nothing is left of one, because its disk may only not be mounted",
    )
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would happen to each file, and change nothing; nothing is decoded",
    )
    paths.add_list_skipped(command)
    index_vectors.add_options(command)


def _add_search(command: argparse.ArgumentParser) -> None:
    command.add_argument("--top-k", "-k", type=int, default=10, metavar="N", help="default: 10")
    command.add_argument("--min-score", type=float, default=-1.0, help="leave out lower scores")
    command.add_argument(
        "--group-by",
        choices=search.GROUPS,
        default="recording",
        help="what a match stands for: a recording, or a label, of which the best recording is shown; "
        "default: recording",
    )


def _add_timeline(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--min-score",
        type=float,
        required=True,
        metavar="S",
        help="a window counts whose score is at least this; try scores with soundalike search first",
    )
    command.add_argument(
        "--by",
        choices=timeline.WIDTHS,
        default="day",
        help="how long a bucket is, by the clocks of --time-zone; weeks begin on Monday; default: day",
    )
    command.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw the counts into this file as well"
    )


def _add_delete(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "keys", nargs="+", metavar="PATH", help="file, folder (all below it), or recording id"
    )


def _add_reset(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="do not ask")


def _add_reindex(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--without-failed",
        action="store_true",
        help="replace the old index even where files cannot be read any more; they are gone then",
    )


def _add_collections(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action",
        nargs="?",
        choices=("list", "create", "drop", "optimize"),
        default="list",
        help="optimize builds the vector index anew; default: list",
    )
    command.add_argument("name", nargs="?", help="which one to create, drop or optimize")
    command.add_argument("--yes", action="store_true", help="drop without asking")


def _add_export(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "target", metavar="FILE|FOLDER", help="where to; in a folder it is NAME.soundalike.zip"
    )


def _add_import(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="what export has written")
    command.add_argument(
        "--collection",
        metavar="NAME",
        help="where to; one that is there gets the recordings added; default: the name that it had",
    )
    command.add_argument(
        "--rebase",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="the recordings below the folder OLD lie in the folder NEW on this machine; repeatable",
    )


def _add_sql(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "statement",
        nargs="?",
        metavar="SQL",
        help="one statement or several, with semicolons between them; - reads them from stdin; default: "
        "psql on a terminal, else stdin. docs/sql-cookbook.md has examples",
    )
    command.add_argument("--write", action="store_true", help="allow statements that change something")
    command.add_argument(
        "--format",
        choices=sql.FORMATS,
        help="default: table, which shortens long values. --json is --format json, an object a row",
    )


def _add_serve(command: argparse.ArgumentParser) -> None:
    command.add_argument("--flow", type=Path, metavar="FILE", help="default: flow.yml")
    command.add_argument("--host", help="address to bind; default: the Flow's, 127.0.0.1")
    command.add_argument("--port", type=_port, help="HTTP port; default: the Flow's, 45678")
    command.add_argument("--grpc-port", type=_port, help="gRPC port; default: the Flow's, 45679")
    command.add_argument(
        "--start-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="give up when the Flow is not ready by then; default: 60",
    )
    command.add_argument(
        "--root-path",
        metavar="PATH",
        help="path below which a reverse proxy publishes the service, like /sounds; "
        "SOUNDALIKE_ROOT_PATH works too",
    )


def _port(text: str) -> int:
    """Return the number of a port.

    Raises
    ------
    argparse.ArgumentTypeError
        There is no such port.
    """
    if not (text.isdecimal() and 1 <= int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 1 to {_LAST_PORT}")
    return int(text)


def _seconds(text: str) -> float:
    """Return a number of seconds above 0.

    Raises
    ------
    argparse.ArgumentTypeError
        It is none.
    """
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0, such as 120")
    return found


def _add_embed(command: argparse.ArgumentParser) -> None:
    command.add_argument("paths", nargs="+", metavar="PATH", help="file, folder or glob pattern")
    command.add_argument(
        "--per",
        choices=embed.GRANULARITIES,
        default="window",
        help="a vector for each window as the index has it (the vectors of its seconds one after the "
        "other, of length 1), the encoder's raw 128 numbers for each second, or 128 numbers of length "
        "1 for the whole file; default: window",
    )
    command.add_argument(
        "--pooling",
        choices=embed.POOLINGS,
        help="how the seconds become a file's vector; with --per file; default: mean",
    )
    command.add_argument(
        "--postprocess",
        action="store_true",
        help="PCA, whitening and 8 bits as in the AudioSet release; VGGish only, not for windows",
    )
    command.add_argument(
        "--format",
        choices=embed.FORMATS,
        help="text: start, end and the numbers with 6 decimals; json: an object on each line; csv: with "
        "a header, a column for each number; npy: one array, a row for each vector; default: what "
        "--output ends in (.txt, .json, .jsonl, .csv, .npy), else text. --json is --format json",
    )
    command.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to instead of stdout; the file appears when all is done. Beside FILE.npy, "
        "FILE.rows.csv says which row is what",
    )
    paths.add_list_skipped(command)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action",
        choices=("status", "download", "verify"),
        help="show what is here; fetch what is missing and check its MD5; or put a sine through the "
        "network and compare with the numbers that are published (status 4 where they differ)",
    )
    command.add_argument(
        "--from",
        dest="source",
        metavar="PATH|URL",
        help="download from a folder, a file or a mirror: the address (http, https, file) under which "
        "vggish_model.ckpt and vggish_pca_params.npz lie, or of one of them; what arrives must be "
        "the published file all the same. Where only the PCA file is missing there, that is said "
        "and the exit status is 0",
    )
    command.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="verify this checkpoint instead; default: SOUNDALIKE_CHECKPOINT, else the published one",
    )


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="a folder with one folder a label")
    paths.add_metadata(
        command,
        "label (or category), and if need be fold. Where it is named, only its clips are taken",
    )
    command.add_argument(
        "--fold-pattern",
        metavar="REGEX",
        help="its first group in the file name is the clip's fold; a query's own fold is left out",
    )
    command.add_argument(
        "--query-pattern",
        metavar="REGEX",
        help="clips whose file name it matches are the queries, all others what they search; a group "
        "(?P<label>...) in it gives the query's label; default: every clip asks for all others",
    )
    command.add_argument(
        "--example-hop",
        type=float,
        default=1.0,
        metavar="S",
        help="distance between the patches of a window in seconds; default: 1; published VGGish: 0.96",
    )
    command.add_argument(
        "--compare",
        action="append",
        default=[],
        metavar="KEY=VALUE,...",
        help="evaluate again with other settings and show the difference; keys: "
        f"{', '.join(evaluate.COMPARE_KEYS)}; may be repeated",
    )
    command.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write everything into one page as well"
    )
    paths.add_list_skipped(command)
